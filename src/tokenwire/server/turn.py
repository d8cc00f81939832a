"""One run on a WebSocket."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import Code
from ..observe.telemetry import Following
from ..runs.audience import Audience
from ..runs.log import Log
from ..runs.reader import Reader
from ..wire.base import WEBSOCKET, Encoder, Wire
from .drain import Drain
from .ending import failing, parting

logger = logging.getLogger("tokenwire.server")

INTERNAL_ERROR, SERVICE_RESTART = 1011, 1012

Deliver = Callable[[bytes], Awaitable[None]]
"""Sends one message; returns when the socket can take another."""


class Turn:
    """Delivers the records of a log after a sequence number, and follows it to its end.

    It begins at once, in a task of its own: :meth:`cut` leaves out even what is already read.

    :param drain: moves it on where its client comes back by itself (``returns``).
    :param audience: of the run that writes the log, where it is under way in this process.
    :param on_end: called after the last message, unless the connection is gone or the turn was cut; told whether it was
        the last of the log, too, and not just the last here.
    :param close: ends the connection, where it cannot go on.
    :param following: looks on.
    """

    def __init__(
        self,
        log: Log,
        after: int,
        wire: Wire,
        *,
        drain: Drain,
        returns: bool,
        audience: Audience | None,
        heartbeat: float,
        deliver: Deliver,
        on_end: Callable[["Turn", bool], Awaitable[None]],
        close: Callable[[int, str], Awaitable[None]],
        following: Following | None = None,
    ) -> None:
        self.run_id = log.info.run_id
        self._log = log
        self._encoder = Encoder(wire, WEBSOCKET, log.key, after)
        self._parting = parting(log, after, self._encoder)
        # a client that reads no envelopes knows no ping either: uvicorn's own, which it never sees, have to do
        self._ping = self._encoder.heartbeat if wire.numbered(WEBSOCKET) else b""
        self._drain = drain
        self._returns = returns
        self._audience = audience
        self._deliver = deliver if following is None else following.watching(deliver)
        self._following = following
        self._on_end = on_end
        self._close = close
        # from here on, not from the task's first step: who hangs up before that is a reader who left as well
        self._reader = Reader(log, after, heartbeat)
        drain.join(self._reader, returns=returns)
        if audience is not None:
            audience.join()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._leave)

    def cut(self) -> asyncio.Task[None]:
        """Sends nothing more. Returns what there is to wait for."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        try:
            whole = await self._follow()
        except OSError:
            return  # the connection is gone: whoever reads from it learns that
        except Exception:
            logger.exception("run %s cannot be delivered", self.run_id, extra={"run": self._log.info})
            await self._close(INTERNAL_ERROR, Code.internal)
            return
        await self._on_end(self, whole)

    async def _follow(self) -> bool:
        """Returns whether it came to the end of the log, rather than to the moment to go on elsewhere."""
        reader, deliver, messages_of = self._reader, self._deliver, self._encoder.messages
        delivered = False
        while not reader.done:
            after = reader.position
            messages = messages_of(after, reader.take())
            for message in messages:
                await deliver(message)
            delivered = delivered or bool(messages)
            if delivered and self._returns and self._drain.moving and not reader.done:
                return False
            if messages:
                reader.sent()
            elif reader.due and self._ping:
                await deliver(self._ping)
                reader.sent()
            elif self._drain.over:
                return False
            await reader.wait()
        if last := self._parting or failing(self._log, self._encoder):
            await deliver(last)
        return True

    def _leave(self, _: asyncio.Task[None]) -> None:
        self._drain.part(self._reader)
        self._reader.close()
        if self._following is not None:
            self._following.close()
        if self._audience is not None:
            self._audience.leave()
            if self._drain.moving and self._returns:
                self._audience.wait_on()
