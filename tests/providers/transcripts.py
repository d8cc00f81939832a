"""Bodies as upstreams send them, what each says, and what a parser makes of one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.providers.base import Answer
from tokenwire.providers.openai_chat import OpenAIChat

_GOLDEN = Path(__file__).parent.parent / "golden" / "upstreams"


class Said(NamedTuple):
    """What a transcript says, and how it ends."""

    text: str
    outcome: Answer | Code
    reasoning: str = ""


def _usage(prompt: int, completion: int, cached: int | None = None, reasoning: int | None = None) -> events.Usage:
    return events.Usage(prompt, completion, prompt + completion, cached, reasoning)


SAID = {
    "openai": Said("Noon is 12:00 – “midday” ☀️.", Answer("stop", _usage(21, 9, 16, 0))),
    "openai-refusal": Said("I can't help with that.", Answer("stop", None)),
    "azure": Said("Here is how", Answer("content_filter", None)),
    "groq": Said("Twelve o'clock", Answer("stop", _usage(41, 3))),
    "llama-cpp": Said("It is noon", Answer("length", _usage(31, 3))),
    "vllm-reasoning": Said("\n\nNoon.", Answer("stop", _usage(12, 12)), "\nThe user asks the time."),
    "vllm-error": Said("Noo", Code.upstream_error),
    "openrouter": Said("Noon!", Answer("stop", _usage(7, 6, 0, 3)), "Easy: noon."),
    "openrouter-error": Said("No", Code.upstream_unavailable),
    "openrouter-rate-limit": Said("", Code.upstream_rate_limited),
    "together": Said("Midday", Answer("stop", _usage(38, 3))),
    "ollama": Said("It's noon", Answer("stop", _usage(30, 4))),
    "crlf": Said("café 😀", Answer("stop", None)),
    "no-space": Said("Noon", Answer("stop", None)),
    "multi-line": Said("Noon", Answer("stop", None)),
    "no-done": Said("Noon.", Answer("stop", None)),
    "no-finish-reason": Said("Noon.", Answer("stop", None)),
    "no-text": Said("", Answer("tool_calls", None)),
    "truncated": Said("No", Code.upstream_truncated),
    "usage-with-finish": Said("Noon.", Answer("stop", _usage(4, 2))),
    "usage-all-along": Said("Noon.", Answer("length", _usage(4, 2))),
    "reasoning-again": Said("One, two", Answer("stop", None), "First.Next."),
}
"""Every golden transcript but those of known defects."""


def transcript(name: str) -> bytes:
    """The body."""
    return (_GOLDEN / f"{name}.sse").read_bytes()


class Read(NamedTuple):
    """What a parser made of a body, with neighbouring deltas joined."""

    happened: list[events.Event]
    outcome: Answer | Code

    @property
    def said(self) -> Said:
        """In short."""
        deltas = [event for event in self.happened if isinstance(event, events.TextMessageContent)]
        thoughts = [event for event in self.happened if isinstance(event, events.ReasoningMessageContent)]
        return Said(_joined_text(deltas), self.outcome, _joined_text(thoughts))


def read(pieces: Iterable[bytes]) -> Read:
    """Feeds a parser as a connection would: until it knows the outcome, or to the end."""
    parser = OpenAIChat().parser("m")
    happened: list[events.Event] = []
    for piece in pieces:
        happened += parser.feed(piece)
        if parser.outcome is not None:
            break
    else:
        happened += parser.end()
    assert_well_formed([*happened, *parser.close()])
    outcome = parser.outcome
    assert outcome is not None
    if isinstance(outcome, UpstreamFailure):
        return Read(_joined(happened), outcome.code)
    assert_well_formed(happened)
    return Read(_joined(happened), outcome)


def _joined(happened: Sequence[events.Event]) -> list[events.Event]:
    joined: list[events.Event] = []
    for event in happened:
        last = joined[-1] if joined else None
        if isinstance(event, _Delta) and type(event) is type(last) and event.message_id == last.message_id:
            joined[-1] = type(event)(event.message_id, last.delta + event.delta)
        else:
            joined.append(event)
    return joined


_Delta = events.TextMessageContent | events.ReasoningMessageContent


def _joined_text(deltas: Iterable[_Delta]) -> str:
    return "".join(event.delta for event in deltas)


def assert_well_formed(happened: Sequence[events.Event]) -> None:
    """Everything begins, says something and ends, in this order; nothing begins twice or stays open."""
    begun: set[str] = set()
    text = reasoning = thought = None
    for event in happened:
        match event:
            case events.TextMessageStart(name):
                assert text is None
                assert name not in begun
                begun.add(name)
                text = name
            case events.TextMessageContent(name, delta):
                assert name == text
                assert delta
            case events.TextMessageEnd(name):
                assert name == text
                text = None
            case events.ReasoningStart(name):
                assert reasoning is None
                assert name not in begun
                begun.add(name)
                reasoning = name
            case events.ReasoningMessageStart(name):
                assert name == reasoning
                assert thought is None
                thought = name
            case events.ReasoningMessageContent(name, delta):
                assert name == thought
                assert delta
            case events.ReasoningMessageEnd(name):
                assert name == thought
                thought = None
            case events.ReasoningEnd(name):
                assert name == reasoning
                assert thought is None
                reasoning = None
            case _:
                pytest.fail(f"a parser does not say {event}")
    assert text is reasoning is None
