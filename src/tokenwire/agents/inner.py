"""A model asked by an agent: a run of its own, in a log that nobody else sees."""

from collections.abc import AsyncIterator
from uuid import uuid4

from .. import events
from ..errors import Code, Failure
from ..runs.engine import Engine
from ..runs.log import RunInfo
from ..runs.memory import MemoryStore
from ..runs.reader import Reader
from ..runs.run import Bounds, Source
from .pieces import Finish, Piece, Reasoning

_BOUNDS = Bounds(size=32 * 1024 * 1024, ahead=4 * 1024 * 1024)
_NO_HEARTBEAT = 24 * 3600.0


async def heard(source: Source) -> AsyncIterator[Piece]:
    """What a source says, as pieces that can be said again. Left early, it stops the source; not read on, it pauses it.

    Raises :class:`Failure` where the source fails.
    """
    engine = Engine(MemoryStore(), max_runs=1, bounds=_BOUNDS)
    log = await engine.start(RunInfo("", "", f"inner-{uuid4()}", ""), None, source)
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
