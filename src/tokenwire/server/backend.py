"""tokenwire as a part of somebody's application."""

import asyncio
import contextlib
import contextvars
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from ..agents.agent import Agent, AgentFunction, checked
from ..config import Config, load
from ..config.accounts import Price
from ..config.load import File, read, resolve, tables
from ..config.table import convert
from ..gate.authenticator import Authenticate
from .app import App
from .response import AnyRequest, AnySource, FramingName, WireName, respond

logger = logging.getLogger("tokenwire.server")

_LAST_WORDS_SECONDS = 2.0

_Function = TypeVar("_Function", bound=AgentFunction)


class ChatBackend:
    """An ASGI application, HTTP and WebSocket, for a prefix of yours: ``app.mount("/ai", backend)``.

    It runs for a lifespan: :meth:`lifespan` where the host's is made of it, :meth:`running` where the host has one
    already, and its own where it is served alone. A request that comes outside of any, before it or after its end,
    begins one that ends with the event loop.

    :param config: a configuration file; its content as a mapping; a ready :class:`tokenwire.config.Config`; or by
        default the agents, and without any what the environment says, as for ``tokenwire serve``.
    :param authenticate: who is asking: from a connection to a principal. Without it nobody has to say.
    :param middleware: code of yours around every run (:class:`tokenwire.Middleware`).
    :param origins: of front ends that are served from elsewhere, in place of the configuration's.
    :param page: whether ``/`` is a page to try it all.
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | Path | str | None = None,
        *,
        authenticate: Authenticate | None = None,
        middleware: Iterable[object] = (),
        origins: Iterable[str] | None = None,
        page: bool = True,
    ) -> None:
        self._config = config
        self._authenticate = authenticate
        self._middleware = tuple(middleware)
        self._origins = None if origins is None else tuple(origins)
        self._page = page
        self._agents: dict[str, Agent] = {}
        self._default: str | None = None
        self._home: _Home | None = None
        self._alone = Router(lifespan=self.lifespan)

    def agent(
        self,
        name: str,
        *,
        description: str = "",
        greeting: str = "",
        price: Mapping[str, float] | None = None,
        default: bool = False,
    ) -> Callable[[_Function], _Function]:
        """Names a function that requests may ask for as a model; ``default`` where they ask for none.

        :param price: of what it tells, in the configuration's words (``{"input": 1.0, "output": 2.0}``: dollars for a
            million tokens). Budgets in dollars need it; what the models cost that it asks is counted in its place.

        Raises :class:`ValueError` for no name, one that is taken and a second default, :class:`TypeError` for what is
        no name and for a generator that is not ``async``, :class:`tokenwire.errors.ConfigError` for what is no price,
        and :class:`RuntimeError` once the backend runs.
        """
        if not isinstance(name, str):
            raise TypeError('an agent has a name: @backend.agent("NAME")')
        if self._current is not None:
            raise RuntimeError("agents are named before the backend runs")
        if not name:
            raise ValueError("an agent's name is not empty")
        if name in self._agents:
            raise ValueError(f"there is an agent of the name {name!r} already")
        if default and self._default is not None:
            raise ValueError(f"the default is the agent {self._default!r} already")

        own = None if price is None else convert(f"agent {name!r}", "price", dict(price), Price)

        def named(function: _Function) -> _Function:
            self._agents[name] = Agent(name, checked(function), description, greeting, own)
            if default:
                self._default = name
            return function

        return named

    def lifespan(self, _: object) -> contextlib.AbstractAsyncContextManager[None]:
        """:meth:`running`, as frameworks call it: ``FastAPI(lifespan=backend.lifespan)``."""
        return self.running()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers requests. At the end, whoever is still being answered is told so.

        Raises :class:`tokenwire.errors.ConfigError`, and :class:`RuntimeError` where it is running already.
        """
        async with self._at(self._move_in()):
            yield

    async def respond(
        self,
        request: AnyRequest,
        source: AnySource,
        *,
        principal: str | None = None,
        wire: WireName | None = None,
        framing: FramingName = "sse",
    ) -> Response:
        """:func:`tokenwire.chat_response` by this backend: with its store, its limits and its policy.

        :param principal: who is asking; ``None`` asks ``authenticate``.
        """
        app = await self._here()
        return await respond(app.chat, request, source, principal=principal, wire=wire, framing=framing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._alone(scope, receive, send)
        else:
            app = await self._here()
            await app(_trimmed(scope), receive, send)

    @property
    def _current(self) -> "_Home | None":
        """Where it runs. A loop that was closed with its tasks in it has left nobody to say that it does not."""
        return None if self._home is None or self._home.loop.is_closed() else self._home

    def _move_in(self) -> "_Home":
        if self._current is not None:
            raise RuntimeError("this backend is running already")
        self._home = _Home(asyncio.get_running_loop())
        return self._home

    async def _here(self) -> App:
        """The application, which is started where nobody has done so."""
        home = self._current
        if home is None:
            home = self._move_in()
            # of no request, though the first one has caused it
            home.keeper = home.loop.create_task(self._keep(home), context=contextvars.Context())
        elif home.loop is not asyncio.get_running_loop():
            raise RuntimeError("this backend is running in another event loop")
        if home.app is None:
            await home.settled.wait()
        if home.app is None:
            raise RuntimeError("this backend did not start") from home.failure
        return home.app

    async def _keep(self, home: "_Home") -> None:
        """Stays until the event loop is closed, which cancels every task."""
        try:
            async with self._at(home):
                await asyncio.Event().wait()
        except Exception:
            logger.exception("the backend cannot be run")

    @contextlib.asynccontextmanager
    async def _at(self, home: "_Home") -> AsyncIterator[None]:
        try:
            app = App(
                self._configured(),
                agents=self._agents.values(),
                authenticate=self._authenticate,
                middleware=self._middleware,
                page=self._page,
            )
            async with app.running():
                home.app = app
                home.settled.set()
                try:
                    yield
                finally:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LAST_WORDS_SECONDS):
                            await app.end()
        except Exception as error:
            home.failure = error
            raise
        finally:
            home.settled.set()
            if self._home is home:
                self._home = None

    def _configured(self) -> Config:
        config = self._config
        agents = {agent.name: agent.model for agent in self._agents.values()}
        if isinstance(config, Config):
            models = {**config.models, **agents}
            config = msgspec.structs.replace(config, models=models)
        elif config is None and not agents:
            config = load(None, os.environ)
        elif config is None:
            config = resolve(File(), os.environ, folder=Path(), origins=None, agents=agents)
        else:
            file, folder = _file(config)
            config = resolve(file, os.environ, folder=folder, origins=file.cors.origins, agents=agents)
        own = {agent.name: agent.price for agent in self._agents.values() if agent.price is not None}
        return msgspec.structs.replace(
            config,
            prices={**config.prices, **own},
            default_model=self._default or config.default_model,
            origins=config.origins if self._origins is None else self._origins,
        )


class _Home:
    """Where a backend runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.settled = asyncio.Event()
        """It has started, or will not."""
        self.app: App | None = None
        self.failure: Exception | None = None
        self.keeper: asyncio.Task[None] | None = None


def _trimmed(scope: Scope) -> Scope:
    """The same with a path as everybody has it: Litestar puts a slash to its end, and at the root takes the first."""
    path: str = scope["path"]
    if not path.endswith("/") or path == scope.get("root_path", "") + "/":
        return scope
    return {**scope, "path": f"/{path.strip('/')}"}


def _file(config: Mapping[str, Any] | Path | str) -> tuple[File, Path]:
    """A configuration's tables, and the folder of the files that they name."""
    if isinstance(config, Mapping):
        return tables(config, "config"), Path()
    return read(Path(config)), Path(config).parent
