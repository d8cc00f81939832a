"""A model asked by an agent: a run of its own, in a log that nobody else sees."""

from collections.abc import AsyncIterator
from typing import Protocol
from uuid import uuid4

from .. import events
from ..errors import Code, Failure
from ..runs.engine import Engine
from ..runs.log import Log, RunInfo
from ..runs.memory import MemoryStore
from ..runs.observer import Observer
from ..runs.reader import Reader
from ..runs.run import Bounds, Source
from .pieces import Finish, Piece, Reasoning

_BOUNDS = Bounds(size=32 * 1024 * 1024, ahead=4 * 1024 * 1024)
_NO_HEARTBEAT = 24 * 3600.0


class Call(Observer, Protocol):
    """One question to a model, as it is paid for."""

    async def start(self, engine: Engine, info: RunInfo, source: Source) -> Log:
        """As :meth:`Engine.start`, where that is granted. Raises :class:`Refusal`."""


async def heard(source: Source, call: Call | None = None) -> AsyncIterator[Piece]:
    """What a source says, as pieces that can be said again. Left early, it stops the source; not read on, it pauses it.

    Raises :class:`Failure` where the source fails, or is not granted.
    """
    engine = Engine(MemoryStore(), max_runs=1, bounds=_BOUNDS, observer=call)
    info = RunInfo("", "", f"inner-{uuid4()}", "")
    log = await (engine.start(info, None, source) if call is None else call.start(engine, info, source))
    reader = Reader(log, 0, _NO_HEARTBEAT)
    if (run := engine.live(log)) is not None:
        run.audience.join()  # a run is held only for those who listen to it
    try:
        while not reader.done:
            for event in map(events.decode, reader.take()):
                if not isinstance(event, events.RunStarted):
                    yield _piece(event)
            await reader.wait()
    finally:
        reader.close()
        await engine.close()


def _piece(event: events.Event) -> Piece:
    match event:
        case events.TextMessageContent():
            return event.delta
        case events.ReasoningMessageContent():
            return Reasoning(event.delta)
        case events.RunFinished():
            return Finish(event.finish_reason, event.usage, event.model)
        case events.RunError():
            raise Failure(Code(event.code), event.message)
        case _:
            return event
