"""Serving: one uvicorn on a socket that is bound before anything is started."""

import asyncio
import contextlib
import errno
import functools
import gc
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator

import uvicorn

from ..config import Config
from ..errors import ConfigError
from .app import App
from .drain import until
from .protocol import HttpProtocol
from .socket_protocol import SocketProtocol

_LAST_REQUESTS_SECONDS = 1.0
"""For connections that are open when no more are taken: what was sent on them by then may ask for a run."""
_LAST_WORDS_SECONDS = 3.0
_FLUSH_SECONDS = 2
_BACKLOG = 2048


def bind(host: str, port: int, shared: bool = False) -> socket.socket:
    """A listening socket: whoever connects before the server is ready waits for it.

    :param shared: another process may listen at the same address, if it says so too (``SO_REUSEPORT``).
    :raises ConfigError: when the address cannot be had.
    """
    with contextlib.ExitStack() as undo:
        try:
            info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = undo.enter_context(socket.socket(info[0], info[1], info[2]))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(info[4])
            listener.listen(_BACKLOG)
        except (OSError, UnicodeError) as error:
            in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "is in use" if in_use else f"cannot be used: {getattr(error, 'strerror', 'not a host name')}"
            raise ConfigError(f"the address {host} port {port} {reason}; choose another with --port") from None
        listener.setblocking(False)
        undo.pop_all()
        return listener


def inherit(descriptor: int) -> socket.socket:
    """A listening socket that whoever started this process has opened.

    :raises ConfigError: when it is none.
    """
    try:
        listener = socket.socket(fileno=descriptor)
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError("it does not listen")
    except OSError as error:
        raise ConfigError(f"--fd {descriptor} is not a listening socket: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def serve(config: Config, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serves until a signal to stop: SIGTERM lets what is under way finish (:class:`_Server`), SIGINT does not.

    :param on_ready: called once when requests are answered.
    :raises ConfigError: when something that the configuration names cannot be started.
    """
    app = App(config)
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
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_FLUSH_SECONDS,
    )
    server = _Server(settings, app, on_ready)

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

    def __init__(self, config: uvicorn.Config, app: App, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready
        self._hurry = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()  # what is there by now stays: the collector need not look at it again
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.leave()
        await self._stop_listening(sockets or [])
        await self._unless_hurried(self._drain(), self._app.config.runs.drain_seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await self._app.end()
        logging.getLogger("uvicorn.error").addFilter(_is_no_farewell)
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
