"""The reading of one streamed answer, as far as the providers agree on it."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import msgspec

from .. import events
from ..errors import Code, UpstreamFailure
from ..narration import Narration
from ..wire.sse import TooLong
from .base import Answer

QUOTED_BYTES = 64 * 1024
"""Of what an upstream said, as much as a failure's detail may hold."""


class Framing(Protocol):
    """How a body is cut into messages. Sans-IO."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete. Raises :class:`tokenwire.wire.sse.TooLong`."""

    def end(self) -> list[bytes]:
        """What the end of the body leaves, where it may be a message."""


class StreamParser(ABC):
    """Reads one streamed answer. See :class:`tokenwire.providers.base.Parser`.

    A codec's parser reads message by message (:meth:`read`): it tells ``narration`` what was said, and sets
    ``outcome`` once the answer is complete or has failed. What is not forgiven is a stream that ends before the model
    said it was finished: that is a truncated answer, never a complete one.
    """

    def __init__(self, message_id: str, framing: Framing) -> None:
        self.outcome: Answer | UpstreamFailure | None = None
        self.narration = Narration(message_id)
        self._framing = framing

    @abstractmethod
    def read(self, message: bytes) -> None:
        """One message. May raise what msgspec and the reading of text raise: the answer is then malformed."""

    @abstractmethod
    def complete(self) -> Answer | None:
        """The answer, if all there was to say of it has been said: asked where the body ends without saying so."""

    @property
    def tokens(self) -> int:
        """Pieces so far."""
        return self.narration.tokens

    def feed(self, data: bytes) -> list[events.Event]:
        """More of the body."""
        try:
            messages = self._framing.feed(data)
        except TooLong:
            messages = []
            self.outcome = UpstreamFailure(Code.upstream_malformed, detail="a message without end")
        return self._read(messages)

    def end(self) -> list[events.Event]:
        """The body ended."""
        if self.outcome is not None:
            return []
        happened = self._read(self._framing.end())
        if isinstance(self.outcome, UpstreamFailure) and self.outcome.code is Code.upstream_malformed:
            self.outcome = None  # not nonsense: the half of a message that the cut left
        if self.outcome is None:
            self.outcome = self.complete() or UpstreamFailure(
                Code.upstream_truncated, detail="the body ended before the answer did"
            )
            if isinstance(self.outcome, Answer):
                happened += self.narration.close()
        return happened

    def close(self) -> list[events.Event]:
        """Ends what is open."""
        return self.narration.close()

    def _read(self, messages: list[bytes]) -> list[events.Event]:
        for message in messages:
            if self.outcome is not None:
                break
            try:
                self.read(message)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                self.outcome = UpstreamFailure(Code.upstream_malformed, detail=f"{error} in {quote(message)}")
        if self.outcome is None or isinstance(self.outcome, UpstreamFailure):
            return self.narration.take()
        return self.narration.close()


class _Served(msgspec.Struct):
    model: Any = None
    model_version: Any = msgspec.field(default=None, name="modelVersion")


_decode_served = msgspec.json.Decoder(_Served).decode


def served_model(message: bytes | msgspec.Raw) -> str | None:
    """The model that a message says it is of. Asked once an answer: each token would pay for it otherwise."""
    served = _decode_served(message)
    name = served.model or served.model_version
    return name if isinstance(name, str) else None


def quote(data: bytes) -> str:
    """What an upstream sent, for the detail of a failure."""
    return data[:QUOTED_BYTES].decode("utf-8", "replace")
