"""Serving: one uvicorn on a socket that is bound before anything is started."""

import asyncio
import contextlib
import functools
import gc
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator

import uvicorn

from ..config import Config
from .app import App
from .drain import until
from .listener import BACKLOG, pass_on
from .protocol import HttpProtocol
from .socket_protocol import SocketProtocol

_HANDSHAKE_SECONDS = 0.1
_LAST_REQUESTS_SECONDS = 1.0
"""For connections that are open when no more are taken: what was sent on them by then may ask for a run."""
_LAST_WORDS_SECONDS = 2.0
_FLUSH_SECONDS = 2
_COLLECT_AT = 10_000
"""Objects more than there were."""


def serve(config: Config, listener: socket.socket, *, on_ready: Callable[[], None], shared: bool = False) -> None:
    """Serves until a signal to stop: SIGTERM lets what is under way finish (:class:`_Server`), SIGINT does not.

    :param on_ready: called once when requests are answered.
    :param shared: others may listen at the same address, each on a socket of its own.
    :raises ConfigError: when something that the configuration names cannot be started.
    """
    address = ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
    app = App(config, loopback=address.is_loopback)
    settings = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=config.limits.body_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=config.runs.heartbeat_seconds,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_FLUSH_SECONDS,
    )
    server = _Server(settings, app, on_ready, shared)

    async def run() -> None:
        async with app.running():
            await server.serve(sockets=[listener])

    with asyncio.Runner(loop_factory=settings.get_loop_factory()) as runner:
        runner.run(run())


class _Server(uvicorn.Server):
    """Tells when it is ready, and leaves without anybody noticing.

    On SIGTERM: no new connection is taken and no new run begun; clients that come back by themselves are moved to
    another process of the same store, if there is one; answers under way finish, within ``drain_seconds``. On SIGINT,
    after that time, or on a second signal: they are ended with an error event, so that nobody waits for them.
    """

    def __init__(self, config: uvicorn.Config, app: App, on_ready: Callable[[], None], shared: bool) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready
        self._shared = shared
        self._hurry = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()  # what is there by now stays: the collector need not look at it again
        gc.set_threshold(_COLLECT_AT)  # nor often at what comes: an answer leaves no cycles behind
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.leave()
        await self._stop_listening(sockets or [])
        logging.getLogger("uvicorn.error").addFilter(_is_no_farewell)
        await self._unless_hurried(self._drain(), self._app.config.runs.drain_seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._app.end()
        await super().shutdown()

    async def _drain(self) -> None:
        await self._app.move_on()
        connections = self.server_state.connections
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_REQUESTS_SECONDS):
                await until(lambda: not connections)
        for connection in tuple(connections):
            if isinstance(connection, HttpProtocol):
                connection.shutdown()
        await self._app.drain()

    async def _unless_hurried(self, work: Coroutine[None, None, None], seconds: float) -> None:
        tasks = [asyncio.create_task(work), asyncio.create_task(self._hurry.wait())]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _stop_listening(self, listeners: list[socket.socket]) -> None:
        """Takes no more connections, but those that were made by now."""
        if self._shared:
            for listener in listeners:
                pass_on(listener)
            await asyncio.sleep(_HANDSHAKE_SECONDS)
        loop = asyncio.get_running_loop()
        last = [listener.dup() for listener in listeners]
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        protocol = functools.partial(
            HttpProtocol, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        for listener in last:
            with listener, contextlib.suppress(BlockingIOError):
                while True:
                    connection, _ = listener.accept()
                    await loop.connect_accepted_socket(protocol, connection)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again at its end, which would leave no time to close what we hold open
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told_to_stop, number)
        yield

    def _told_to_stop(self, number: int) -> None:
        if number == signal.SIGINT or self.should_exit:
            self._hurry.set()
        self.should_exit = True


def _is_no_farewell(record: logging.LogRecord) -> bool:
    # an answer that is left without an end, so that its reader comes back for the rest, is no mistake of ours
    return record.getMessage() != "ASGI callable returned without completing response."
