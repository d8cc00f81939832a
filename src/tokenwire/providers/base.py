"""What a provider is: a codec that builds one HTTP call and reads its answer as events."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from .. import events
from ..errors import UpstreamFailure
from ..messages import Message
from ..secret import Secret

Api = Literal["openai-chat", "openai-responses", "anthropic", "gemini", "ollama"]
Effort = Literal["off", "low", "medium", "high"]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds that an answer of one target may take, part by part; ``None`` where it has no limit of its own."""

    connect: float | None = None
    first_token: float | None = None
    """From the question to the first piece of text, reasoning or a tool call."""
    between_tokens: float | None = None
    answer: float | None = None
    """From the question to the end."""


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider departs from the API it speaks otherwise. Data: a codec reads what concerns it."""

    key_header: str | None = None
    """The header that carries the key: ``authorization`` (as a bearer token), ``api-key`` …; ``None`` for the API's."""
    path: str | None = None
    """Follows the base URL in place of the API's own path."""
    query: str = ""
    """Follows the path, after ``?``."""
    max_tokens_field: str = "max_tokens"
    reasoning_field: Literal["reasoning_effort", "reasoning", "thinking", "none"] = "none"
    """How a chat completion is told how much to think."""
    reasoning_back: bool = False
    """Whether it wants back what the model thought, as ``reasoning_content``."""
    call_id_length: int | None = None
    """The ids of tool calls are of so many letters and digits, and no others are taken."""
    stream_options: bool = True
    """Whether it knows ``stream_options``, and so reports usage."""


PLAIN = Quirks()
"""Of a provider that departs in nothing."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where one model is, and how it is asked."""

    name: str
    """As requests and clients know it."""
    provider: str
    """As the configuration names it: ``openai``, ``groq`` …"""
    api: Api = "openai-chat"
    """Which codec speaks to it."""
    model: str
    """As the upstream knows it."""
    base_url: str
    key: Secret | None = None
    needs_key: bool = False
    """Whether it is asked only with a key that the request brings."""
    byok: bool = False
    """Whether its key is one that the request has brought."""
    quirks: Quirks = PLAIN
    temperature: float | None = None
    max_tokens: int | None = None
    reasoning: Effort | None = None
    """How much it thinks before it speaks; ``None`` leaves that to the provider."""
    params: dict[str, Any] = {}
    """Further fields of the request's body, in the upstream's own words; they win over everything."""
    timeouts: Timeouts = Timeouts()


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, after the policy had its say."""

    messages: tuple[Message, ...]
    temperature: float | None = None
    max_tokens: int | None = None


def with_defaults(prompt: Prompt, target: Target) -> Prompt:
    """The same, with the target's own parameters where nobody asked for others."""
    return msgspec.structs.replace(
        prompt,
        temperature=target.temperature if prompt.temperature is None else prompt.temperature,
        max_tokens=target.max_tokens if prompt.max_tokens is None else prompt.max_tokens,
    )


class HttpCall(NamedTuple):
    """One HTTP request, whole. Header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    connect_seconds: float | None = None
    """How long a connection may take to be made; ``None`` leaves that to the transport."""

    def __repr__(self) -> str:
        # the headers hold a key, the body a conversation
        return f"<HttpCall {self.method} {self.url}>"


class Answer(NamedTuple):
    """The end of a complete answer."""

    reason: events.FinishReason
    usage: events.Usage | None
    model: str | None = None
    """The one that says it has answered, by its provider's name for it."""


def key_headers(target: Target, own: str) -> dict[str, str]:
    """The header that carries the target's key, if it has one.

    :param own: the header that the API has for it.
    """
    if target.key is None:
        return {}
    header = target.quirks.key_header or own
    key = target.key.reveal()
    return {header: f"Bearer {key}" if header == "authorization" else key}


def sealed(api: Api, value: str) -> str:
    """A provider's signature as clients carry it: marked, so that it never goes to a provider it is not of."""
    return f"{api}:{value}"


def unsealed(api: Api, signature: str | None) -> str | None:
    """The provider's own signature again; ``None`` where it is of another API."""
    kind, _, value = (signature or "").partition(":")
    return value if kind == api else None


class Parser(Protocol):
    """Reads the body of one successful answer. Sans-IO: any cut of the bytes gives the same text.

    Nothing is raised: a failure is an outcome, and what was read before it is given out first.
    """

    outcome: Answer | UpstreamFailure | None
    """Set once the answer is known to be complete, or to have failed; whatever follows is of no interest."""

    @property
    def tokens(self) -> int:
        """Pieces of text so far: for most models a token each."""

    def feed(self, data: bytes) -> list[events.Event]:
        """The events of these bytes. Text that arrived together comes as one delta."""

    def end(self) -> list[events.Event]:
        """The events that the end of the body gives, clean or not. ``outcome`` is set after it."""

    def close(self) -> list[events.Event]:
        """The events that close what is open, when nothing more will be read."""


class Provider(Protocol):
    """One upstream API. Stateless."""

    def build(self, target: Target, prompt: Prompt) -> HttpCall:
        """The call that asks for a streamed answer.

        Raises :class:`UpstreamFailure` (``unsupported_content``) for content that this API has no shape for: left out
        in silence, the model would answer about something it has not seen.
        """

    def parser(self, message_id: str, quirks: Quirks = PLAIN) -> Parser:
        """A parser for one answer, whose text becomes the message of that id."""

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """What an answer that is not a success means."""
