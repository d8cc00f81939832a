"""The response that follows a run's log: plain ASGI, one send a wake (docs/architecture.md, stack)."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from starlette.types import Receive, Scope, Send

from ..gate.key_watch import key_ended
from ..observe.request import id_headers
from ..observe.telemetry import Following
from ..runs.audience import Audience
from ..runs.log import Log
from ..runs.reader import Reader
from ..wire.base import Encoder
from .drain import Drain
from .ending import failing

logger = logging.getLogger("tokenwire.server")


class EventStream:
    """Answers with the records of a log after a sequence number, then follows it to its end.

    :param drain: moves it on where its client comes back by itself (``returns``).
    :param audience: of the run that writes the log, where it is under way in this process.
    :param parting: sent last, after everything.
    :param headers: further ones of the answer.
    :param hold: is told what ends the answer, and gives what lets go of that (:meth:`.KeyWatch.hold`).
    :param follow: gives who looks on, from the moment when the log is followed.
    """

    def __init__(
        self,
        log: Log,
        encoder: Encoder,
        *,
        after: int,
        heartbeat: float,
        drain: Drain,
        returns: bool,
        audience: Audience | None = None,
        parting: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
        hold: Callable[[Callable[[], None]], Callable[[], None]] = lambda _: lambda: None,
        follow: Callable[[], Following | None] = lambda: None,
    ) -> None:
        self._log = log
        self._encoder = encoder
        self._after = after
        self._heartbeat = heartbeat
        self._drain = drain
        self._returns = returns
        self._audience = audience
        self._parting = parting
        self._more_headers = headers
        self._hold = hold
        self._dismissed = False
        self._begin = follow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self.answer(scope, receive, send, send)

    async def answer(self, scope: Scope, receive: Receive, send_head: Send, send: Send) -> None:
        """ASGI, with a ``send`` of its own for the head: what is added to that is no matter for a token."""
        reader = Reader(self._log, self._after, self._heartbeat)
        watch = asyncio.create_task(_watch(receive, reader))
        self._drain.join(reader, returns=self._returns)
        if self._audience is not None:
            self._audience.join()
        following = self._begin()
        let_go = self._hold(partial(self._dismiss, reader))
        try:
            await send_head({"type": "http.response.start", "status": 200, "headers": self._headers(scope)})
            await self._follow(reader, send if following is None else following.watching(send))
        except asyncio.CancelledError:
            # the server stops and has waited long enough; raised further, it would be logged as our fault
            info = self._log.info
            logger.info("a reader of run %s was left behind: it did not read", info.run_id, extra={"run": info})
        finally:
            watch.cancel()
            let_go()
            self._drain.part(reader)
            reader.close()
            if following is not None:
                following.close()
            if self._audience is not None:
                self._audience.leave()
                if self._drain.moving and self._returns:
                    self._audience.wait_on()

    async def _follow(self, reader: Reader, send: Send) -> None:
        encode, heartbeat, drain = self._encoder.encode, self._encoder.heartbeat, self._drain
        delivered = False
        while not reader.gone:
            after = reader.position
            records = reader.take()
            done = reader.done
            body = encode(after, records) if records else b""
            if done:
                await send(
                    {"type": "http.response.body", "body": body + (self._parting or failing(self._log, self._encoder))}
                )
                return
            if body:
                delivered = True
            elif reader.due:
                body = heartbeat
            if delivered and drain.moving and self._returns:
                await send({"type": "http.response.body", "body": body})
                return
            if body:
                reader.sent()
                await send({"type": "http.response.body", "body": body, "more_body": True})
            elif drain.over:
                return
            await reader.wait()
        if self._dismissed:
            info = self._log.info
            told = self._encoder.tell(key_ended(), info.thread_id, info.run_id)
            await send({"type": "http.response.body", "body": told})

    def _dismiss(self, reader: Reader) -> None:
        """Who reads is nobody we know any more."""
        self._dismissed = True
        reader.leave()

    def _headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", self._encoder.content_type.encode()),
            (b"cache-control", b"no-cache, no-transform"),
            (b"x-accel-buffering", b"no"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-run-id", self._log.info.run_id.encode("latin-1")),
            *((name.encode(), value.encode()) for name, value in self._more_headers.items()),
            *id_headers(),
        ]
        # asked for by RAIS (docs/wires/rais.md 3), forbidden in HTTP/2, and untrue where the client wants to close
        if scope["http_version"] == "1.1" and (b"connection", b"close") not in scope["headers"]:
            headers.append((b"connection", b"keep-alive"))
        return headers


async def _watch(receive: Receive, reader: Reader) -> None:
    """Tells the reader when its connection is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.leave()
