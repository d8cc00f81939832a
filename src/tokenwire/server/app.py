"""The application: its parts put together, and the table of its routes."""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..accounts.contract import Accounts
from ..agents.agent import Agent
from ..agents.agents import Agents
from ..config import Config
from ..errors import Code, Failure, Refusal
from ..gate.authenticator import Authenticate, Authenticator
from ..gate.byok import with_keys
from ..gate.host import HostGate, Hosts
from ..gate.offer import offered_to
from ..gate.origin import OriginGate, Origins
from ..gate.policy import offered_models, offered_personas
from ..gate.tickets import SECONDS as TICKET_SECONDS
from ..ledger.opened import client_addresses, opened_accounting
from ..middleware.stack import MiddlewareStack
from ..observe.content_log import ContentLog
from ..observe.request import RequestContext, named
from ..observe.telemetry import Telemetry
from ..providers.base import Prompt
from ..providers.local import LocalModels
from ..providers.transport import open_transport
from ..routing.model import Model
from ..routing.router import ModelRouter
from ..runs.address import open_store
from ..runs.engine import Engine
from ..runs.run import Bounds, Source
from ..wire.base import NDJSON, SSE, Framing, Wire
from ..wire.detect import detect, detect_tanstack
from ..wire.rais import RAIS
from ..wire.request import Envelope
from .chat import Chat
from .drain import Drain
from .openapi import Json, describe
from .probe import Probes
from .refusal import refusal_response
from .socket import ChatSocket
from .stream import EventStream
from .usage import usage_response

if TYPE_CHECKING:
    from ..observe.scrape import Page

logger = logging.getLogger("tokenwire.server")

_WEB = Path(__file__).parent.parent / "web"
_STREAM = "tokenwire.stream"
"""Where an endpoint leaves the answer that is to be followed."""
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
}


class App:
    """tokenwire as an ASGI application. It answers while :meth:`running`, under whatever prefix.

    Starlette's router, without the application around it: each middleware costs every token a call and an await.

    :param agents: answer where one of the models is of their name.
    :param authenticate: says who is asking; without it nobody has to say.
    :param middleware: see :class:`tokenwire.middleware.Middleware`.
    :param page: whether there is a page to try it all.
    :param loopback: it is known to be reached from this machine alone. Names that lead here are then somebody else's
        or a proxy's, until the configuration says so.
    """

    def __init__(
        self,
        config: Config,
        *,
        agents: Iterable[Agent] = (),
        authenticate: Authenticate | None = None,
        middleware: Iterable[object] = (),
        page: bool = True,
        loopback: bool = False,
    ) -> None:
        self.config = config
        self._agents = Agents(agents, self._model_source)
        self._authenticate = authenticate
        self._middleware = MiddlewareStack([*middleware, ContentLog()] if config.log.content else middleware)
        self._telemetry = Telemetry(config)
        metrics = self._telemetry.page
        self.engine: Engine
        self._accounts: Accounts | None = None
        """Where there is a ledger."""
        self._drain = Drain()
        self.chat: Chat
        self.router: ModelRouter
        self._probes = Probes(config.runs.heartbeat_seconds)
        routes: list[BaseRoute] = [
            self._chat_route("/api/chat", SSE, detect),
            self._chat_route("/api/chat/ndjson", NDJSON, detect),
            self._chat_route("/api/chat/rais", SSE, lambda _: RAIS, RAIS),
            self._chat_route("/api/chat/tanstack", SSE, detect_tanstack),
            WebSocketRoute("/api/chat/ws", _Socket(self._converse)),
            Route("/api/chat/runs/{run:path}/cancel", _Endpoint(post=self._cancel)),
            Route("/api/chat/ticket", _Endpoint(post=self._ticket)),
            Route("/models", _Endpoint(get=self._models)),
            Route("/usage", _Endpoint(get=self._usage)),
            Route("/healthz", _Endpoint(get=self._health, head=self._health)),
            *([Route("/metrics", _Endpoint(get=partial(_metrics, metrics)))] if metrics is not None else []),
            *([Route("/", _Endpoint(get=_page, head=_page)), Mount("/web", named(_Files(_WEB)))] if page else []),
        ]
        if config.server.openapi:
            served = {route.path_format for route in routes if isinstance(route, Route)}
            routes.append(Route("/openapi.json", _Endpoint(get=partial(_description, describe(served)))))
        router = Router(routes, redirect_slashes=False, default=named(refusal_response(Refusal(Code.not_found))))
        hosts = Hosts(config.server.hosts, any_name=config.origins is not None and not loopback)
        self._origins = Origins(config.origins, hosts)
        guarded = bool(config.server.hosts) or (loopback and not config.auth.configured)
        unknown = Refusal(Code.forbidden_origin, "By this name nothing is served here: see [server] hosts.")
        self._asgi: ASGIApp = OriginGate(
            HostGate(router, hosts, named(refusal_response(unknown))) if guarded else router,
            self._origins,
            named(refusal_response(Refusal(Code.forbidden_origin))),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        send = _closing(send) if self._drain.leaving else send
        with RequestContext(scope), self._telemetry.request(scope, send) as send_seen:
            await self._asgi(scope, receive, send_seen)
            if (follow := scope.pop(_STREAM, None)) is not None:
                # followed from out here: every layer that it was awaited through would cost each of its tokens
                await follow(send_seen)

    def leave(self) -> None:
        """Keeps no connection open for another request, and is not healthy any more."""
        self._drain.leave()

    async def move_on(self) -> None:
        """Sends away whoever can go on elsewhere."""
        with contextlib.suppress(Refusal):  # the store is away, and nobody can go anywhere
            await self.engine.store.retire()
            if await self.engine.store.peers():
                self._drain.move_on()

    async def drain(self) -> None:
        """Begins no more runs, and returns when nobody waits for an answer here any more."""
        self.engine.leave()
        await self.engine.idle()
        await self._drain.settled()

    async def end(self) -> None:
        """Ends what is under way, and returns when everybody was told."""
        await self.engine.close()
        self._drain.end()
        await self._drain.told()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What the application needs for as long as it answers: connections, embedded models, runs.

        Raises :class:`tokenwire.errors.ConfigError`.
        """
        runs, limits = self.config.runs, self.config.limits
        async with contextlib.AsyncExitStack() as stack:
            local = await stack.enter_async_context(LocalModels())
            models = {name: await _placed(model, local) for name, model in self.config.models.items()}
            config = self.config = msgspec.structs.replace(self.config, models=models)
            asked = [model for model in models.values() if model.choices]
            transport = open_transport(connect_seconds=runs.connect_seconds)
            stack.push_async_callback(transport.close)
            observer = self._telemetry.observer(self._middleware)
            accounting = await stack.enter_async_context(
                opened_accounting(
                    config,
                    observer,
                    known=self._authenticate is not None or config.auth.keys or config.auth.jwt is not None,
                )
            )
            self._accounts = None if accounting is None or not accounting.ledger else accounting.accounts
            authenticator = await Authenticator.open(config.auth, config.store, self._origins, self._authenticate)
            stack.push_async_callback(authenticator.close)
            stack.push_async_callback(self._agents.close)
            store = await open_store(
                config.store,
                keep_seconds=runs.keep_seconds,
                keep_bytes=runs.keep_bytes,
                lease_seconds=runs.lease_seconds,
                patience=runs.store_seconds,
                watched=self._telemetry.backend,
            )
            self.engine = Engine(
                store,
                max_runs=limits.runs,
                bounds=Bounds(limits.run_bytes, limits.ahead_bytes),
                observer=observer if accounting is None else accounting,
            )
            stack.push_async_callback(self.engine.close)
            self.router = ModelRouter(
                asked,
                transport,
                silence_seconds=runs.silence_seconds,
                answer_seconds=runs.answer_seconds,
                retry_seconds=runs.retry_seconds,
                breaker_seconds=runs.breaker_seconds,
                watch=self._telemetry.watch,
            )
            self.chat = Chat(
                config,
                self.engine,
                self.router,
                self._agents,
                self._drain,
                authenticator,
                self._middleware,
                self._telemetry,
                accounting,
                client_addresses(config),
            )
            async with self._telemetry.serving(lambda: self.engine.live_runs, self.router.listing):
                yield

    def _model_source(self, name: str, prompt: Prompt) -> Source:
        model = self.config.models.get(name)
        if model is None or not model.choices:
            raise LookupError(f"there is no [models.{name}]")
        return self.router.source(with_keys(model, {}), prompt)

    def _chat_route(
        self, path: str, framing: Framing, detect: Callable[[Envelope], Wire], wire: Wire | None = None
    ) -> Route:
        """``POST`` asks, in the wire that ``detect`` finds; ``GET`` joins, in ``wire`` or in that of the run."""

        async def ask(request: Request) -> ASGIApp:
            return await self.chat.ask(request, path, framing, detect)

        async def join(request: Request) -> ASGIApp:
            return await self.chat.join(request, framing, wire)

        return Route(path, _Endpoint(get=join, post=ask))

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await ChatSocket(self.chat, "/api/chat/ws", receive, send).serve(scope)

    async def _cancel(self, request: Request) -> ASGIApp:
        return await self.chat.cancel(request, request.path_params["run"])

    async def _health(self, request: Request) -> ASGIApp:
        leaving = self._drain.leaving
        if "stream" in request.query_params and request.method == "GET" and not leaving:
            try:
                return self._probes.answer(request)
            except Refusal as refusal:
                return refusal_response(refusal)
        return JSONResponse(
            {"status": "leaving" if leaving else "ok"}, 503 if leaving else 200, headers={"cache-control": "no-store"}
        )

    async def _usage(self, request: Request) -> ASGIApp:
        try:
            principal = await self.chat.identify(request.scope)
            if self._accounts is None:
                raise Refusal(Code.not_found)
            return await usage_response(self._accounts, principal.name, request.query_params)
        except Failure as failure:
            return refusal_response(failure)

    async def _ticket(self, request: Request) -> ASGIApp:
        """What opens one WebSocket in the name of who is asking."""
        try:
            ticket = await self.chat.authenticator.ticket(await self.chat.identify(request.scope))
        except Failure as failure:
            return refusal_response(failure)
        return JSONResponse({"ticket": ticket, "expiresIn": TICKET_SECONDS}, headers={"cache-control": "no-store"})

    async def _models(self, request: Request) -> ASGIApp:
        """What a request may ask for."""
        try:
            principal = await self.chat.identify(request.scope)
        except Failure as failure:
            return refusal_response(failure)
        config = offered_to(self.config, principal.scopes)
        personas = [
            {"name": persona.name, "description": persona.description, "greeting": persona.greeting}
            for persona in offered_personas(config)
        ]
        offered = {model.name for model in offered_models(config)}
        models = [model for model in (*self.router.listing(), *self._agents.listing()) if model["name"] in offered]
        return JSONResponse({"default": config.default_model, "models": models, "personas": personas})


async def _placed(model: Model, local: LocalModels) -> Model:
    return model._replace(
        choices=tuple([choice._replace(target=await local.place(choice.target)) for choice in model.choices])
    )


async def _metrics(page: "Page", request: Request) -> ASGIApp:
    asked = request.headers
    status, content_type, body = await page.get(asked.get("accept", ""), asked.get("authorization", ""))
    return Response(body, status, {"cache-control": "no-store", "content-type": content_type})


async def _description(document: Json, _: Request) -> ASGIApp:
    return JSONResponse(document, headers={"cache-control": "no-cache"})


async def _page(_: Request) -> ASGIApp:
    return FileResponse(_WEB / "index.html", headers=_PAGE_HEADERS)


def _closing(send: Send) -> Send:
    """Ends the connection with the answer."""

    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, value) for name, value in message["headers"] if name != b"connection"]
            message = {**message, "headers": [*headers, (b"connection", b"close")]}
        await send(message)

    return send_closing


class _Endpoint:
    """An ASGI endpoint of one function for each method it answers."""

    def __init__(self, **answers: Callable[[Request], Awaitable[ASGIApp]]) -> None:
        self._answers = {method.upper(): answer for method, answer in answers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get(scope["method"])
        if answer is None:
            response: ASGIApp = self._wrong_method()
        else:
            try:
                response = await answer(Request(scope, receive))
            except Exception:
                logger.exception("a %s request failed", scope["method"])
                response = refusal_response(Refusal(Code.internal))
        if isinstance(response, EventStream):
            scope[_STREAM] = partial(response.answer, scope, receive, send)
        else:
            await named(response)(scope, receive, send)

    def _wrong_method(self) -> ASGIApp:
        response = refusal_response(Refusal(Code.method_not_allowed))
        response.headers["allow"] = ", ".join(self._answers)
        return response


class _Socket:
    """An ASGI endpoint of a WebSocket. Starlette takes a mere function for one of its own kind, and wraps its sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Files:
    """The page's own files."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "websocket":
                raise HTTPException(404)
            response = await self._files.get_response(self._files.get_path(scope), scope)
        except HTTPException as error:
            response = refusal_response(
                Refusal(Code.method_not_allowed if error.status_code == 405 else Code.not_found)
            )
        response.headers.update(_PAGE_HEADERS)
        await response(scope, receive, send)
