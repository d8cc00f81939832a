"""A chat on a single route of somebody's application."""

from collections.abc import AsyncIterable, Mapping
from typing import Any, Literal, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..agents.agent import Agent, AgentFunction, checked
from ..agents.ask import Ask
from ..agents.pieces import Piece
from ..errors import Code, Refusal
from ..wire.base import NDJSON, SSE, Framing, Wire
from ..wire.detect import WIRES, detect
from ..wire.request import Envelope
from .chat import Chat
from .refusal import refusal_response

WireName = Literal["rais", "tanstack", "tanstack-legacy"]
FramingName = Literal["sse", "ndjson"]
_FRAMINGS: dict[str, Framing] = {"sse": SSE, "ndjson": NDJSON}
AnySource = AsyncIterable[Piece] | AgentFunction
"""An answer under way, or a function that gives one."""

_Choice = TypeVar("_Choice")


class AnyRequest(Protocol):
    """A request as Starlette, FastAPI and Litestar have it."""

    @property
    def scope(self) -> Any:
        """ASGI's."""

    @property
    def receive(self) -> Any:
        """ASGI's."""


class ChatResponse(Response):
    """The stream of an answer, for frameworks that ask for a response. Headers may be added."""

    def __init__(self, stream: ASGIApp) -> None:
        super().__init__()
        self.raw_headers = []
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._stream(scope, receive, self._with_headers(send) if self.raw_headers else send)
        if self.background is not None:
            await self.background()

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.raw_headers]}
            await send(message)

        return send_with_headers


async def respond(
    chat: Chat,
    request: AnyRequest,
    source: AnySource,
    *,
    principal: str | None,
    wire: WireName | None,
    framing: FramingName,
) -> Response:
    """See :func:`tokenwire.chat_response`."""
    asked = request if isinstance(request, Request) else Request(request.scope, request.receive)
    given = _Given(source)
    try:
        if principal is not None and not _is_name(principal):
            raise ValueError("principal: a name that is not empty, or None")
        spoken = _chosen("wire", wire, WIRES) if wire is not None else None
        cut = _chosen("framing", framing, _FRAMINGS)
        answer = await _answer(chat, asked, Agent(given.name, given), principal, spoken, cut)
    finally:
        await given.close()
    return answer if isinstance(answer, Response) else ChatResponse(answer)


async def _answer(
    chat: Chat, request: Request, agent: Agent, principal: str | None, wire: Wire | None, cut: Framing
) -> ASGIApp:
    def detected(envelope: Envelope) -> Wire:
        return wire or detect(envelope)

    if request.method == "GET":
        return await chat.join(request, cut, wire, principal=principal)
    if request.method != "POST":
        return refusal_response(Refusal(Code.method_not_allowed))
    if run_id := request.query_params.get("cancel"):
        return await chat.cancel(request, run_id, principal=principal)
    return await chat.ask(request, request.url.path, cut, detected, principal=principal, agent=agent)


def _is_name(principal: object) -> bool:
    """An application's own id of a user may be a number, and may be missing: nobody's runs are to be everybody's."""
    return isinstance(principal, str) and bool(principal)


def _chosen(option: str, name: str, choices: Mapping[str, _Choice]) -> _Choice:
    if name not in choices:
        raise ValueError(f"{option}: {name!r} is not one of {', '.join(choices)}")
    return choices[name]


class _Given:
    """A source, which is closed where nobody asked it: the run was there already, or there is none."""

    def __init__(self, source: AnySource) -> None:
        if not callable(source) and not isinstance(source, AsyncIterable):
            raise TypeError(f"a source is an async iterator or a function, not {type(source).__name__}")
        self.name = getattr(source, "__name__", "agent")
        self._source: Any = checked(source) if callable(source) else source
        self._asked = False

    def __call__(self, ask: Ask) -> Any:
        self._asked = True
        return self._source(ask) if callable(self._source) else self._source

    async def close(self) -> None:
        if not self._asked and hasattr(self._source, "aclose"):
            await self._source.aclose()
