"""What a provider is: a codec that builds one HTTP call and reads its answer as events."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from .. import events
from ..errors import UpstreamFailure
from ..messages import Message
from ..secret import Secret


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where one model is, and how it is asked."""

    name: str
    """As requests and clients know it."""
    provider: str
    model: str
    """As the upstream knows it."""
    base_url: str
    key: Secret | None = None
    temperature: float | None = None
    max_tokens: int | None = None


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, after the policy had its say."""

    messages: tuple[Message, ...]
    temperature: float | None = None
    max_tokens: int | None = None


class HttpCall(NamedTuple):
    """One HTTP request, whole. Header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        # the headers hold a key, the body a conversation
        return f"<HttpCall {self.method} {self.url}>"


class Answer(NamedTuple):
    """The end of a complete answer."""

    reason: events.FinishReason
    usage: events.Usage | None


class Parser(Protocol):
    """Reads the body of one successful answer. Sans-IO: any cut of the bytes gives the same text.

    Nothing is raised: a failure is an outcome, and what was read before it is given out first.
    """

    outcome: Answer | UpstreamFailure | None
    """Set once the answer is known to be complete, or to have failed; whatever follows is of no interest."""

    tokens: int
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
        """The call that asks for a streamed answer."""

    def parser(self, message_id: str) -> Parser:
        """A parser for one answer, whose text becomes the message of that id."""

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """What an answer that is not a success means."""
