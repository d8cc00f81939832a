"""What a scripted model answers, and how the wire goes wrong while it does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from .tool_call import ToolCall

ONE_WRITE: Final = (sys.maxsize,)
"""As `Reply.write_sizes`: the whole response in a single write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer: what the model says, how it is framed, and which fault cuts it.

    A *delta* is one element of `reasoning`, of `text` or of a tool call's `arguments`; they are said in this
    order. Where a wire sends a call whole, its deltas go together. Offsets of faults count the bytes of the
    HTTP response, its head included. A response shorter than the offset is sent whole.
    """

    text: Sequence[str] = ()
    reasoning: Sequence[str] = ()
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    """Where chat completions have it."""
    signature: str | None = None
    """The reasoning's signature, or its ciphertext: Anthropic, Gemini (base64), Responses when asked to include it."""
    tool_calls: Sequence[ToolCall] = ()
    """They are valid JSON where they are sent as a value: not streamed by Anthropic, always by Gemini and Ollama."""
    finish_reason: str | None = "stop"
    """In OpenAI's words, which each wire translates: `stop`, `length`, `content_filter`, `tool_calls`. Where a wire
    has a word for it, any other goes as it is. None leaves out the message that finishes a stream's answer."""
    usage: bool = True
    """Whether usage is reported; a stream of chat completions carries it only when the request includes usage."""
    prompt_tokens: int = 8
    """What the usage says of the prompt; the completion counts one token a delta."""
    cached_tokens: int | None = None
    """How many of the prompt's tokens came from a cache; None where nothing is said of it."""
    done: bool = True
    """Whether a stream ends with the mark that nothing follows: `[DONE]`, or Anthropic's `message_stop`."""
    model: str | None = None
    """The model's name in the answer; None repeats the request's."""
    error_after: int | None = None
    """An error object takes the place of everything after so many deltas of a stream."""
    error: Mapping[str, object] | None = None
    """That error object, in the wire's own words; None for a plain server error."""

    first_delay: float = 0.0
    """Seconds before the first byte."""
    interval: float = 0.0
    """Seconds between two deltas."""
    hold: bool | Literal["head"] = False
    """Deltas, and the end after them, wait for `step` and `release`; with "head" the head waits too."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the response's own, or put in their place."""
    body: Mapping[str, object] | str | bytes | None = None
    """Sent in place of an answer. None: the answer, or for a status other than 200 an error object."""
    raw: bytes | None = None
    """Exactly the bytes of the HTTP response, after which the connection is closed."""

    line_end: Literal["\n", "\r\n", "\r"] = "\n"
    comments: bool = False
    """Whether a comment precedes every event of a stream."""
    framing: Literal["chunked", "length", "close"] | None = None
    """How the body's end is told. None: chunked for a stream, length for everything else."""
    write_sizes: Sequence[int] | None = None
    """Sizes of the writes, taken in turn and over again. None: the head and each event are a write.

    A write goes out once everything in it is due, and as a packet of its own as far as the system allows.
    """
    write_pause: float = 0.0
    """Seconds after every write, for readers that would otherwise find several packets in one read."""

    cut_at: int | None = None
    """Close the connection cleanly after so many bytes."""
    reset_at: int | None = None
    """Reset the connection after so many bytes."""
    stall_at: int | None = None
    """Send nothing after so many bytes, and leave the connection open."""

    def __post_init__(self) -> None:
        if isinstance(self.text, str) or isinstance(self.reasoning, str):
            raise TypeError("text and reasoning are sequences of deltas, not one string")
        if (self.cached_tokens or 0) > self.prompt_tokens:
            raise ValueError("the cached tokens are part of the prompt's")
        faults = [offset for offset in (self.cut_at, self.reset_at, self.stall_at) if offset is not None]
        if len(faults) > 1:
            raise ValueError("a reply has at most one of cut_at, reset_at and stall_at")
        if min([*faults, self.error_after or 0]) < 0:
            raise ValueError("a fault's place is not negative")
        if self.write_sizes is not None and (not self.write_sizes or min(self.write_sizes) < 1):
            raise ValueError("write_sizes has at least one size, all of them positive")

    @property
    def deltas(self) -> int:
        """How many deltas the whole answer has."""
        return len(self.reasoning) + len(self.text) + sum(len(call.arguments) for call in self.tool_calls)
