"""Where metrics are asked for: at a port of their own, or by whoever has their page.

Workers ask each other. Each listens at a socket in a folder that only they can read; whichever of them is asked by
Prometheus tells of all. So every answer is whole and of this moment, and a worker that is gone is merely missing.
"""

import asyncio
import contextlib
import hmac
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from ..config.observe import Metrics as MetricsConfig
from ..errors import ConfigError
from .exposition import exposition
from .metrics import Family

logger = logging.getLogger("tokenwire.observe")

PATH = "/metrics"

_HEAD_BYTES = 16 * 1024
_HEAD_SECONDS = 5.0
_PEER_SECONDS = 1.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Family]).decode


class Page:
    """The metrics of all workers, for whoever may see them.

    :param families: those of this process.
    :param peers: the workers' folder, where there are several.
    """

    def __init__(self, config: MetricsConfig, families: Callable[[], Sequence[Family]], peers: Path | None) -> None:
        self._config = config
        self._families = families
        self._peers = peers
        self._name = str(os.getpid())

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answers the other workers, and the metrics' own port, if there is one. Raises :class:`ConfigError`."""
        async with contextlib.AsyncExitStack() as stack:
            if self._peers is not None:
                path = self._peers / f"{self._name}.sock"
                stack.callback(path.unlink, missing_ok=True)
                await stack.enter_async_context(await asyncio.start_unix_server(self._tell, path))
            if self._config.port is not None:
                try:
                    server = await asyncio.start_server(
                        self._answer,
                        self._config.host,
                        self._config.port,
                        limit=_HEAD_BYTES,
                        reuse_port=self._peers is not None,  # each worker listens, and is asked for all of them
                    )
                except OSError as error:
                    raise ConfigError(
                        f"metrics.port: {self._config.port} cannot be had: {os.strerror(error.errno or 0)}"
                    ) from None
                await stack.enter_async_context(server)
                host, port = server.sockets[0].getsockname()[:2]
                logger.info("metrics at http://%s:%d%s", host, port, PATH)
            yield

    async def get(self, accept: str, authorization: str) -> tuple[int, str, bytes]:
        """Status, content type and body for one request."""
        if not self._admits(authorization):
            return 401, "text/plain", b"The metrics need a bearer token.\n"
        return 200, *exposition(await self._all(), accept)

    def _admits(self, authorization: str) -> bool:
        token = self._config.token
        if token is None:
            return True
        scheme, _, sent = authorization.partition(" ")
        same = hmac.compare_digest(sent.strip().encode(errors="replace"), token.reveal().encode())
        return same and scheme.lower() == "bearer"

    async def _all(self) -> Mapping[str, Sequence[Family]]:
        workers: dict[str, Sequence[Family]] = {self._name: self._families()}
        if self._peers is not None:
            others = [path for path in self._peers.glob("*.sock") if path.stem != self._name]
            for path, families in zip(others, await asyncio.gather(*map(_ask, others)), strict=True):
                if families is not None:
                    workers[path.stem] = families
        return workers

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Another worker asks."""
        with contextlib.suppress(OSError):
            writer.write(_encode(self._families()))
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One HTTP request at the metrics' own port; the connection ends with it."""
        with contextlib.suppress(
            OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            status, content_type, body = await self._reply(head.decode("latin-1"))
            lines = (
                f"HTTP/1.1 {status}",
                f"content-type: {content_type}",
                f"content-length: {len(body)}",
                "cache-control: no-store",
                "connection: close",
                "\r\n",
            )
            writer.write("\r\n".join(lines).encode() + body)
            await writer.drain()
        writer.close()

    async def _reply(self, head: str) -> tuple[str, str, bytes]:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if target.partition("?")[0] != PATH:
            return "404 Not Found", "text/plain", f"The metrics are at {PATH}.\n".encode()
        if method != "GET":
            return "405 Method Not Allowed", "text/plain", b"The metrics are read by GET.\n"
        status, content_type, body = await self.get(headers.get("accept", ""), headers.get("authorization", ""))
        return "200 OK" if status == 200 else "401 Unauthorized", content_type, body


async def _ask(path: Path) -> Sequence[Family] | None:
    """What another worker counts; ``None`` where it is gone, or does not answer."""
    try:
        async with asyncio.timeout(_PEER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return _decode(await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
