"""Serving: one uvicorn on a socket that is bound before anything is started."""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from ..config import Config
from ..errors import ConfigError
from .app import App
from .protocol import HttpProtocol

_GRACEFUL_SECONDS = 5
_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening socket: whoever connects before the server is ready waits for it.

    :raises ConfigError: when the address cannot be had.
    """
    with contextlib.ExitStack() as undo:
        try:
            info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = undo.enter_context(socket.socket(info[0], info[1], info[2]))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(info[4])
            listener.listen(_BACKLOG)
        except (OSError, UnicodeError) as error:
            in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "is in use" if in_use else f"cannot be used: {getattr(error, 'strerror', 'not a host name')}"
            raise ConfigError(f"the address {host} port {port} {reason}; choose another with --port") from None
        listener.setblocking(False)
        undo.pop_all()
        return listener


def serve(config: Config, listener: socket.socket, *, log_level: str, on_ready: Callable[[], None]) -> None:
    """Serves until a signal to stop (SIGINT, SIGTERM).

    :param on_ready: called once when requests are answered.
    :raises ConfigError: when something that the configuration names cannot be started.
    """
    app = App(config)
    settings = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=log_level,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
    )
    server = _Server(settings, app, on_ready)

    async def run() -> None:
        async with app.running():
            await server.serve(sockets=[listener])

    with asyncio.Runner(loop_factory=settings.get_loop_factory()) as runner:
        runner.run(run())


class _Server(uvicorn.Server):
    """Tells when it is ready, and ends runs when it is told to stop, so that their readers do not hold it up."""

    def __init__(self, config: uvicorn.Config, app: App, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()  # what is there by now stays: the collector need not look at it again
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.engine.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again at its end, which would leave no time to close what we hold open
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
