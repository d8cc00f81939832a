"""All middleware of a server, compiled: each hook costs where somebody has it, and nothing where nobody has."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any

from .. import events
from ..errors import Code, Failure, Refusal
from ..gate.question import Question
from ..runs.log import RunInfo
from ..runs.outcome import Outcome
from .base import Middleware
from .event_hooks import EventHooks

logger = logging.getLogger("tokenwire.middleware")

_HOOKS = ("on_request", "on_event", "on_end")
_CANCEL_SECONDS = 1.0
"""What a hook may take to end after it was cancelled."""


class MiddlewareStack:
    """Middleware in the order given. As an :class:`tokenwire.runs.observer.Observer` it goes with the engine.

    :param patience: seconds that one call of ``on_request`` or ``on_end`` may take, before it counts as failed.

    Raises :class:`TypeError` for what cannot be a middleware.
    """

    def __init__(self, middleware: Iterable[object] = (), *, patience: float = 10) -> None:
        found = [_hooks(one) for one in middleware]
        self._on_request, self._on_event, self._on_end = (
            [hooks[name] for hooks in found if name in hooks] for name in _HOOKS
        )
        self._patience = patience
        self._telling: set[asyncio.Task[None]] = set()

    async def request(self, question: Question) -> Question:
        """The question as ``on_request`` leaves it. Raises :class:`Failure`."""
        for hook in self._on_request:
            try:
                changed = await self._call(hook, question)
                if not isinstance(changed, Question | None):
                    raise TypeError(f"on_request gives a Question or None, not {type(changed).__name__}")
            except Failure:
                raise
            except Exception:
                logger.exception("on_request failed for run %s", question.run.run_id, extra={"run": question.run})
                raise Refusal(Code.internal) from None
            if changed is not None:
                question = question.replace(messages=changed.messages, options=changed.options)
        return question

    def encoder(self, run: RunInfo) -> Callable[[events.Event], bytes]:
        """What makes the events of this run into records."""
        return EventHooks(run, self._on_event) if self._on_event else events.encode

    def ended(self, outcome: Outcome) -> None:
        """Tells everybody, each in a task of its own."""
        for hook in self._on_end:
            task = asyncio.get_running_loop().create_task(self._tell(hook, outcome))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        """Waits for those that were told, as long as patience goes."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=self._patience + _CANCEL_SECONDS)

    async def _tell(self, hook: Callable[[Outcome], Any], outcome: Outcome) -> None:
        try:
            await self._call(hook, outcome)
        except Exception:
            logger.exception("on_end failed for run %s", outcome.run.run_id, extra={"run": outcome.run})

    async def _call(self, hook: Callable[..., Any], value: Question | Outcome) -> Any:
        try:
            result = hook(value)
            if not inspect.isawaitable(result):
                return result
            async with asyncio.timeout(self._patience):
                return await result
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise RuntimeError("what the hook waited for was cancelled") from error  # not whoever waits for the hook


def _hooks(one: object) -> dict[str, Callable[..., Any]]:
    if isinstance(one, type):
        raise TypeError(f"{one.__name__} is a class: give an instance of it")
    hooks = {}
    for name in _HOOKS:
        hook = getattr(one, name, None)
        if hook is None or getattr(type(one), name, None) is getattr(Middleware, name):
            continue
        if not callable(hook):
            raise TypeError(f"{type(one).__name__}.{name} cannot be called")
        hooks[name] = hook
    if not hooks:
        raise TypeError(f"{type(one).__name__} has no {', '.join(_HOOKS)}")
    if "on_event" in hooks and inspect.iscoroutinefunction(hooks["on_event"]):
        raise TypeError(f"{type(one).__name__}.on_event cannot be a coroutine: a token waits for nobody")
    return hooks
