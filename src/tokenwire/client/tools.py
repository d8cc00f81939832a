"""Tools that run in the client (docs/wires/tanstack.md, *Client tools*): plain Python functions."""

import asyncio
import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

Execute = Callable[..., Any] | Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTool:
    """A tool the model may call and the client runs.

    ``parameters`` is JSON Schema. Without ``execute`` the client waits for ``add_tool_result``. ``execute`` is called
    with the arguments as keywords, converted to the types it names; it may be sync or async. What it raises is told
    to the model.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    execute: Execute | None = None

    def declared(self) -> dict[str, Any]:
        """How a request declares the tool."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters) if self.parameters is not None else {"type": "object"},
        }

    async def run(self, input: Any) -> Any:  # noqa: A002
        """What the tool gives for the ``input``, or raises."""
        if self.execute is None:
            raise LookupError(f"the tool {self.name} has nothing to execute")
        output = self.execute(**_arguments(self.execute, input))
        return await output if inspect.isawaitable(output) else output


def tool(function: Execute) -> ClientTool:
    """The tool that a function is: its name, its docstring, its parameters' types and defaults.

    ``ChatClient(tools=[…])`` takes functions as they are, and this as a decorator is the same.
    """
    return ClientTool(
        name=function.__name__,
        description=inspect.getdoc(function) or "",
        parameters=_schema(function),
        execute=function,
    )


def tools_by_name(tools: Sequence[ClientTool | Execute]) -> dict[str, ClientTool]:
    """The tools, functions among them, by their names."""
    made = (each if isinstance(each, ClientTool) else tool(each) for each in tools)
    return {each.name: each for each in made}


class ToolRunner:
    """Runs the tools the model calls, each as a task, and hands on what they give.

    :param done: awaited with the call's id, its output, and what it failed of.
    """

    def __init__(
        self, tools: Mapping[str, ClientTool], done: Callable[[str, Any, str | None], Awaitable[None]]
    ) -> None:
        self.tools = tools
        self._done = done
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def runs(self, name: str | None) -> bool:
        """Whether there is a function for it."""
        tool = self.tools.get(name or "")
        return tool is not None and tool.execute is not None

    def start(self, call_id: str, name: str, input: Any) -> None:  # noqa: A002
        """Runs the tool, if there is a function for it."""
        if self.runs(name):
            self._tasks[call_id] = asyncio.create_task(self._run(self.tools[name], call_id, input))

    async def wait(self) -> None:
        """Returns when none runs any more."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    def cancel(self) -> list[asyncio.Task[None]]:
        """Ends them all; the tasks that are ending."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        return tasks

    async def _run(self, tool: ClientTool, call_id: str, input: Any) -> None:  # noqa: A002
        output, error = None, None
        try:
            output = msgspec.to_builtins(await tool.run(input))
        except Exception as failure:  # noqa: BLE001 - the model is told whatever a tool raises
            error = str(failure) or type(failure).__name__
        try:
            await self._done(call_id, output, error)
        finally:
            self._tasks.pop(call_id, None)


def _fields(function: Execute) -> dict[str, tuple[Any, Any]]:
    """Names of the parameters with their types and defaults."""
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name: (hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }


def _schema(function: Execute) -> dict[str, Any]:
    struct = msgspec.defstruct(
        "Arguments",
        [
            (name, kind) if default is inspect.Parameter.empty else (name, kind, default)
            for name, (kind, default) in _fields(function).items()
        ],
        kw_only=True,
    )
    _, components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    schema = {key: value for key, value in components.pop("Arguments").items() if key != "title"}
    return {**schema, "$defs": components} if components else schema


def _arguments(function: Execute, input: Any) -> dict[str, Any]:  # noqa: A002
    if input is None:
        return {}
    if not isinstance(input, Mapping):
        raise TypeError(f"expected an object of arguments, got {type(input).__name__}")
    fields = _fields(function)
    return {name: msgspec.convert(value, fields[name][0]) if name in fields else value for name, value in input.items()}
