"""Applications of each framework with a backend under a prefix, served by uvicorn on a socket."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import django  # type: ignore[import-untyped]
import litestar
import uvicorn
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp

from tokenwire import ChatBackend

OWN = "the host's own"


def fastapi_host(backend: ChatBackend, *, lifespan: bool) -> ASGIApp:
    app = FastAPI(lifespan=backend.lifespan if lifespan else None)

    @app.get("/own")
    def own() -> str:
        return OWN

    app.mount("/deep/ai", backend)
    return app


def starlette_host(backend: ChatBackend, *, lifespan: bool) -> ASGIApp:
    return Starlette(
        routes=[Route("/own", lambda _: PlainTextResponse(OWN)), Mount("/deep/ai", backend)],
        lifespan=backend.lifespan if lifespan else None,
    )


def litestar_host(backend: ChatBackend, *, lifespan: bool) -> ASGIApp:
    @litestar.get("/own", sync_to_thread=False)
    def own() -> str:
        return OWN

    mounted = litestar.asgi("/deep/ai", is_mount=True, copy_scope=True)(backend)
    app = litestar.Litestar([own, mounted], lifespan=[backend.lifespan] if lifespan else [], openapi_config=None)
    return cast(ASGIApp, app)


def django_host(backend: ChatBackend, *, lifespan: bool) -> ASGIApp:
    configure_django()
    return Router(
        [Mount("/deep/ai", backend), Mount("/", get_asgi_application())],
        lifespan=backend.lifespan if lifespan else None,
    )


def starlette_root(backend: ChatBackend) -> ASGIApp:
    return Starlette(routes=[Mount("/", backend)], lifespan=backend.lifespan)


def litestar_root(backend: ChatBackend) -> ASGIApp:
    mounted = litestar.asgi("/", is_mount=True, copy_scope=True)(backend)
    return cast(ASGIApp, litestar.Litestar([mounted], lifespan=[backend.lifespan], openapi_config=None))


def configure_django() -> None:
    """Once: Django's settings are the process's."""
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of no use", MIDDLEWARE=[])
        django.setup()


def django_own(_: HttpRequest) -> HttpResponse:
    return HttpResponse(OWN)


urlpatterns = [path("own", django_own)]

Host = Callable[..., ASGIApp]
HOSTS: dict[str, Host] = {
    "fastapi": fastapi_host,
    "starlette": starlette_host,
    "litestar": litestar_host,
    "django": django_host,
}


ROOTS: dict[str, Host] = {"starlette": starlette_root, "litestar": litestar_root}
"""With the backend at the root."""


class Serving(NamedTuple):
    """A server in a thread."""

    url: str
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        """As a signal does."""
        self.server.should_exit = True

    def join(self) -> None:
        """Returns when it has ended, loop and all."""
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[Serving]:
    """Serves an application until the block is left, which waits for the server's end."""
    config = uvicorn.Config(app, port=0, log_level="warning", **options)
    server, ready = uvicorn.Server(config), threading.Event()

    async def serve() -> None:
        startup = server.startup

        async def started(*args: Any, **kwargs: Any) -> None:
            await startup(*args, **kwargs)
            ready.set()

        server.startup = started  # type: ignore[method-assign]
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    host = Serving(f"http://127.0.0.1:{port}", server, thread)
    try:
        yield host
    finally:
        host.stop()
        host.join()
