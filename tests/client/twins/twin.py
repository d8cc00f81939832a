"""One scenario, played by both clients."""

import itertools
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenwire.client import AbortSignal, RunContext
from tokenwire.client.chat import ChatClient
from tokenwire.client.messages import Dialect, UIMessage, request_body
from tokenwire.client.tools import ClientTool

Event = dict[str, Any]

_MADE_UP = re.compile(r"\b(msg|run|thread|chat|queued)-\d{13}-[0-9a-z]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass
class Scenario:
    """What a server answers, one list of events for each request, and what the user does."""

    name: str
    script: Sequence[Sequence[Event]]
    steps: Sequence[Sequence[Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    client: dict[str, Any] = field(default_factory=dict)

    def in_javascript(self, generation: Dialect) -> dict[str, Any]:
        """As the Node program reads it."""
        return {
            "generation": generation,
            "script": self.script,
            "steps": self.steps,
            "tools": self.tools,
            "client": self.client,
        }


class ScriptedAdapter:
    """A server that is the script."""

    def __init__(self, script: Sequence[Sequence[Event]], dialect: Dialect) -> None:
        self._script = script
        self._dialect = dialect
        self.bodies: list[str] = []

    async def connect(
        self,
        messages: Sequence[UIMessage | Mapping[str, Any]],
        data: Mapping[str, Any] | None = None,
        abort_signal: AbortSignal | None = None,  # noqa: ARG002
        run_context: RunContext | None = None,
    ) -> AsyncIterator[Event]:
        """The next list of the script."""
        body = request_body(messages, data, run_context, self._dialect)
        events = self._script[len(self.bodies)] if len(self.bodies) < len(self._script) else ()
        self.bodies.append(json.dumps(body, separators=(",", ":"), ensure_ascii=False))
        for event in events:
            text = json.dumps(event).replace("$thread", body.get("threadId", "t"))
            yield json.loads(text.replace("$run", body.get("runId", "r")))


async def play(scenario: Scenario, dialect: Dialect) -> dict[str, Any]:
    """What the Python client shows and sends."""
    adapter = ScriptedAdapter(scenario.script, dialect)
    shown: list[Any] = []
    calls: list[Any] = []

    def messages() -> list[dict[str, Any]]:
        return [message.to_dict() for message in client.messages]

    names = {"forwardedProps": "forwarded_props", "initialMessages": "initial_messages"}
    async with ChatClient(
        adapter,
        dialect=dialect,
        tools=[_tool(each) for each in scenario.tools],
        on_chunk=lambda _: shown.append(messages()),
        on_finish=lambda message: calls.append(["finish", message.id]),
        on_error=lambda error: calls.append(["error", str(error)]),
        on_status_change=lambda status: calls.append(["status", status]),
        on_subscription_change=lambda subscribed: calls.append(["subscribed", subscribed]),
        on_connection_status_change=lambda status: calls.append(["connection", status]),
        on_custom_event=lambda *event: calls.append(["custom", *event]),
        **{names.get(name, name): value for name, value in scenario.client.items()},
    ) as client:
        if dialect == "new":
            client.update_options(
                on_session_generating_change=lambda generating: calls.append(["generating", generating]),
                on_run_id_change=lambda run_id: calls.append(["run", run_id]),
            )
        for name, *values in scenario.steps:
            if name == "send":
                await client.send_message(*values)
            elif name == "append":
                await client.append(*values)
            elif name == "reload":
                await client.reload()
            elif name == "clear":
                client.clear()
            elif name == "approve":
                await client.add_tool_approval_response(*values)
            elif name == "resolve":
                await client.resolve_interrupts(*values)
            elif name == "cancel":
                await client.cancel_interrupts()
            elif name == "result":
                call_id, _, output = values
                await client.add_tool_result(call_id, output)
        shown.append(messages())
        # what the close tells is not part of the scenario
        return {"shown": shown, "bodies": adapter.bodies, "calls": list(calls), "status": client.status}


def without_chance(result: Any) -> Any:
    """The result with made-up ids numbered and times left out, the order of fields kept."""
    numbers = itertools.count(1)
    known: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return known.setdefault(match[0], f"{match[1]}-{next(numbers)}")

    return json.loads(_TIME.sub("TIME", _MADE_UP.sub(number, json.dumps(result))))


def changes(calls: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The calls without statuses that are what they were: JavaScript tells these too."""
    told: list[Sequence[Any]] = []
    status = "ready"
    for each in calls:
        if each[0] != "status" or each[1] != status:
            told.append(each)
        if each[0] == "status":
            status = each[1]
    return told


def _tool(described: Mapping[str, Any]) -> ClientTool:
    def execute(**_: Any) -> Any:
        if "error" in described:
            raise RuntimeError(described["error"])
        return described["output"]

    return ClientTool(
        name=described["name"],
        description=described.get("description", ""),
        parameters=described.get("inputSchema"),
        execute=execute if "error" in described or "output" in described else None,
    )
