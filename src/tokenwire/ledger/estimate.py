"""How many tokens a text may be, where nobody has counted them.

A token is taken to be four bytes of UTF-8: about right for English and code; docs/limits.md says how far it is off for
others, which differs more between tokenizers than any one guess could follow.
"""

from collections.abc import Iterable, Sequence

from .. import events
from ..messages import Media, Message, Reasoning, Text

BYTES_PER_TOKEN = 4
_MESSAGE_TOKENS = 4
"""What a message costs beside its text."""
_MEDIA_TOKENS = 1000
"""What an image costs: providers say 85 to 1,600."""


def prompt_tokens(messages: Sequence[Message]) -> int:
    """An estimate of a conversation; never 0."""
    size = media = 0
    for message in messages:
        for part in message.content:
            if isinstance(part, Text | Reasoning):
                size += _bytes(part.text)
            elif isinstance(part, Media):
                media += 1
        size += sum(_bytes(call.name) + _bytes(call.arguments) for call in message.tool_calls)
    return max(1, size // BYTES_PER_TOKEN + _MESSAGE_TOKENS * len(messages) + _MEDIA_TOKENS * media)


class Told:
    """What a model has told so far: text, reasoning and the arguments of calls."""

    def __init__(self) -> None:
        self.pieces = 0
        self.bytes = 0

    def add(self, delta: str) -> None:
        """One more piece."""
        self.pieces += 1
        self.bytes += _bytes(delta)

    @property
    def tokens(self) -> int:
        """An estimate: a piece is a token at least, unless pieces come together."""
        return max(self.pieces, -(-self.bytes // BYTES_PER_TOKEN))


def told_in(happened: Iterable[events.Event]) -> Told:
    """What was told in the events of a run."""
    told = Told()
    for event in happened:
        if isinstance(event, TELLING):
            told.add(event.delta)
    return told


TELLING = (events.TextMessageContent, events.ReasoningMessageContent, events.ToolCallArgs)
"""The events that hold what a model makes."""


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
