"""The application: its parts put together, and the table of its routes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from ..config import Config
from ..errors import Code, Refusal
from ..gate.origin import OriginGate
from ..providers.local import LocalModels
from ..providers.transport import open_transport
from ..runs.engine import Engine
from ..runs.memory import MemoryStore
from ..wire.base import NDJSON, SSE, Framing, Wire
from ..wire.detect import detect, detect_tanstack
from ..wire.rais import RAIS
from ..wire.request import Envelope
from .chat import Chat
from .refusal import refusal_response

_WEB = Path(__file__).parent.parent / "web"
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class App:
    """tokenwire as an ASGI application.

    It answers while :meth:`running`, which is its lifespan.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.engine: Engine
        self._chat: Chat
        routes = [
            self._chat_route("/api/chat", SSE, detect),
            self._chat_route("/api/chat/ndjson", NDJSON, detect),
            self._chat_route("/api/chat/rais", SSE, lambda _: RAIS, RAIS),
            self._chat_route("/api/chat/tanstack", SSE, detect_tanstack),
            Route("/api/chat/runs/{run}/cancel", _Endpoint(self._cancel), methods=["POST"]),
            Route("/models", _Endpoint(self._models), methods=["GET"]),
            Route("/healthz", _Endpoint(self._health), methods=["GET"]),
            Route("/", _Endpoint(self._page), methods=["GET"]),
            Mount("/web", _Files(directory=_WEB)),
        ]
        starlette = Starlette(
            routes=routes,
            lifespan=lambda _: self.running(),
            exception_handlers={HTTPException: _http_error, Exception: _internal_error},
        )
        self._asgi: ASGIApp = OriginGate(starlette, config.origins, refusal_response(Refusal(Code.forbidden_origin)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._asgi(scope, receive, send)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What the application needs for as long as it answers: connections, embedded models, runs.

        The ASGI lifespan is this; a server without one enters it itself. Raises :class:`ConfigError`.
        """
        runs, limits = self.config.runs, self.config.limits
        async with LocalModels() as local:
            targets = {name: await local.place(target) for name, target in self.config.targets.items()}
            transport = open_transport(connect_seconds=runs.connect_seconds)
            store = MemoryStore(keep_seconds=runs.keep_seconds, keep_bytes=runs.keep_bytes)
            self.engine = Engine(store, max_runs=limits.runs, max_run_bytes=limits.run_bytes)
            self._chat = Chat(msgspec.structs.replace(self.config, targets=targets), self.engine, transport)
            try:
                yield
            finally:
                await self.engine.close()
                await transport.close()

    def _chat_route(
        self, path: str, framing: Framing, detect: Callable[[Envelope], Wire], wire: Wire | None = None
    ) -> Route:
        """``POST`` asks, in the wire that ``detect`` finds; ``GET`` joins, in ``wire`` or in that of the run."""

        async def chat(request: Request) -> ASGIApp:
            if request.method == "POST":
                return await self._chat.ask(request, framing, detect)
            return await self._chat.join(request, framing, wire)

        return Route(path, _Endpoint(chat), methods=["GET", "POST"])

    async def _cancel(self, request: Request) -> ASGIApp:
        return await self._chat.cancel(request)

    async def _models(self, _: Request) -> ASGIApp:
        """What a request may ask for."""
        config = self.config
        models = [{"name": name, "description": config.descriptions[name]} for name in config.targets]
        personas = [
            {"name": name, "description": persona.description, "greeting": persona.greeting}
            for name, persona in config.personas.items()
        ]
        return JSONResponse({"default": config.default_model, "models": models, "personas": personas})

    async def _health(self, _: Request) -> ASGIApp:
        return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})

    async def _page(self, _: Request) -> ASGIApp:
        return FileResponse(_WEB / "index.html", headers=_PAGE_HEADERS)


class _Endpoint:
    """An ASGI endpoint of a function: the plain way around a wrapper that costs more than the routing itself."""

    def __init__(self, answer: Callable[[Request], Awaitable[ASGIApp]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)


class _Files(StaticFiles):
    """The page's own files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_PAGE_HEADERS)
        return response


async def _http_error(_: Request, error: Exception) -> Response:
    """Starlette's own refusals in our shape."""
    assert isinstance(error, HTTPException)  # noqa: S101
    code = Code.method_not_allowed if error.status_code == 405 else Code.not_found
    response = refusal_response(Refusal(code))
    response.headers.update(error.headers or {})
    return response


async def _internal_error(_: Request, __: Exception) -> Response:
    """The server has logged it; the client learns nothing of it."""
    return refusal_response(Refusal(Code.internal))
