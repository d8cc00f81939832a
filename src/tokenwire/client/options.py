"""What a caller may say about requests, and what of it is in force for one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from .abort import AbortSignal
    from .fetch import FetchClient

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
T = TypeVar("T")
Provided: TypeAlias = T | Callable[[], T | Awaitable[T]]
"""A value, or a sync or async function that is asked for it on every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """How a lost stream is taken up again.

    :param max_attempts: how many reconnects in a row may bring nothing new.
    :param delay: seconds before each.
    :param on_reconnect: called before each, in the event loop.
    """

    max_attempts: int = 5
    delay: float = 0.25
    on_reconnect: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if self.max_attempts < 0:
            raise ValueError(f"Invalid reconnect max_attempts: {self.max_attempts}. It is not negative.")
        if not 0 <= self.delay < float("inf"):
            raise ValueError(f"Invalid reconnect delay: {self.delay}. It is a number of seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is put up with from a server.

    :param connect: seconds until there is a connection.
    :param silence: seconds without a byte, of the answer's head or of its body. Heartbeats are bytes, and so are
        a WebSocket's pings.
    :param event_bytes: the size of one event.
    """

    connect: float = 10.0
    silence: float = 120.0
    event_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Options of a request (docs/wires/tanstack.md 7.3)."""

    headers: Headers = ()
    """They win over the adapter's own, and lose to those of the run (``X-Run-Id``, ``Last-Event-ID``)."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    credentials: Literal["same-origin", "include", "omit"] = "same-origin"
    """``omit`` leaves the cookies out. There is no other difference: no request goes to a second origin."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Goes into every request; what the chat and the message say wins."""
    signal: AbortSignal | None = None
    """Counts when the caller of the adapter gives none."""
    fetch_client: FetchClient | None = None
    """Sends the requests in place of :func:`tokenwire.client.fetch.fetch`."""
    reconnect: Reconnect = Reconnect()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """Options of a WebSocket (docs/wires/tanstack.md 1.7, 7.3). Browsers have no ``headers`` and ``cookies``."""

    protocols: Sequence[str] = ()
    headers: Headers = ()
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    reconnect: Reconnect = Reconnect()
    limits: Limits = Limits()


OptionsT = TypeVar("OptionsT", FetchOptions, WebSocketOptions)


async def provided(value: Provided[T]) -> T:
    """What is in force now."""
    if not callable(value):
        return value
    made = value()
    return cast(T, await made) if inspect.isawaitable(made) else made


async def provided_options(kind: type[OptionsT], value: Provided[OptionsT | Mapping[str, Any]] | None) -> OptionsT:
    """The options in force now. A mapping of their fields will do, for themselves and for those inside them."""
    options: OptionsT | Mapping[str, Any] = {} if value is None else await provided(value)
    if isinstance(options, kind):
        return options
    fields = dict(cast(Mapping[str, Any], options))
    for name, nested in (("reconnect", Reconnect), ("limits", Limits)):
        if isinstance(fields.get(name), Mapping):
            fields[name] = nested(**fields[name])
    return kind(**fields)


def request_headers(cookies: Mapping[str, str], *sources: Headers) -> dict[str, str]:
    """Headers in which later ones win, whatever their case. What one list names twice is joined by commas."""
    merged: dict[str, tuple[str, str]] = {}
    if cookies:
        merged["cookie"] = ("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
    for source in sources:
        own: dict[str, tuple[str, str]] = {}
        for name, value in source.items() if isinstance(source, Mapping) else source:
            before = own.get(name.lower())
            own[name.lower()] = (name, value if before is None else f"{before[1]}, {value}")
        merged.update(own)
    return dict(merged.values())
