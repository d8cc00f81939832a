"""Bodies as upstreams send them, what each says, and what a parser makes of one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast

import msgspec
import pytest

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.providers.base import Answer, Api, unsealed
from tokenwire.providers.codecs import CODECS

_GOLDEN = Path(__file__).parent.parent / "golden" / "upstreams"


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call that a transcript makes, whole."""

    id: str
    name: str
    arguments: str
    signature: str | None = None


class Said(NamedTuple):
    """What a transcript says, and how it ends."""

    text: str
    outcome: Answer | Code
    reasoning: str = ""
    signatures: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()


class _Expected(msgspec.Struct, forbid_unknown_fields=True):
    """The file beside a transcript."""

    text: str = ""
    reasoning: str = ""
    signatures: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    reason: events.FinishReason | None = None
    usage: events.Usage | None = None
    code: Code | None = None

    @property
    def outcome(self) -> Answer | Code:
        """Either is named, never both."""
        assert (self.reason is None) != (self.code is None)
        return self.code or Answer(cast(events.FinishReason, self.reason), self.usage)


class Transcript(NamedTuple):
    """The body of one answer."""

    api: Api
    body: bytes
    said: Said


def _transcript(path: Path) -> Transcript:
    it = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=_Expected)
    said = Said(it.text, it.outcome, it.reasoning, it.signatures, it.calls)
    return Transcript(cast(Api, path.parent.name), path.read_bytes(), said)


TRANSCRIPTS: dict[str, Transcript] = {
    f"{path.parent.name}/{path.stem}": _transcript(path)
    for path in sorted(_GOLDEN.glob("*/*"))
    if path.suffix in (".sse", ".ndjson") and path.parent.name in CODECS
}
"""By ``API/NAME``. ``NAME.json`` beside each tells what it says; what that leaves out is empty."""


class Read(NamedTuple):
    """What a parser made of a body, with neighbouring deltas joined."""

    happened: list[events.Event]
    outcome: Answer | Code

    @property
    def said(self) -> Said:
        """In short."""
        text, reasoning, signatures = "", "", []
        calls: dict[str, Call] = {}
        for event in self.happened:
            match event:
                case events.TextMessageContent(_, delta):
                    text += delta
                case events.ReasoningMessageContent(_, delta):
                    reasoning += delta
                case events.ReasoningEncryptedValue("message", _, signature):
                    signatures.append(signature)
                case events.ReasoningEncryptedValue("tool-call", name, signature):
                    calls[name] = msgspec.structs.replace(calls[name], signature=signature)
                case events.ToolCallStart(name, tool):
                    calls[name] = Call(name, tool, "")
                case events.ToolCallArgs(name, delta):
                    calls[name] = msgspec.structs.replace(calls[name], arguments=calls[name].arguments + delta)
        return Said(text, self.outcome, reasoning, tuple(signatures), tuple(calls.values()))


def read(pieces: Iterable[bytes], api: Api = "openai-chat") -> Read:
    """Feeds a parser as a connection would, until it knows the outcome or to the end; the events are well-formed."""
    parser = CODECS[api].parser("m")
    happened: list[events.Event] = []
    for piece in pieces:
        happened += parser.feed(piece)
        if parser.outcome is not None:
            break
    else:
        happened += parser.end()
    outcome = parser.outcome
    assert outcome is not None
    assert parser.feed(b"data: {}\n\n{}\n") == parser.end() == []
    closing = parser.close()
    assert parser.outcome is outcome
    assert parser.close() == []
    assert_well_formed([*happened, *closing])
    assert all(unsealed(api, event.encrypted_value) is not None for event in happened if isinstance(event, _Sealed))
    if isinstance(outcome, UpstreamFailure):
        return Read(_joined(happened), outcome.code)
    assert closing == []
    return Read(_joined(happened), outcome._replace(model=None))  # whose name it is, tests/observe looks at


_Sealed = events.ReasoningEncryptedValue


def _joined(happened: Sequence[events.Event]) -> list[events.Event]:
    joined: list[events.Event] = []
    for event in happened:
        match joined[-1] if joined else None, event:
            case (events.TextMessageContent(before, said), events.TextMessageContent(name, delta)) if before == name:
                joined[-1] = events.TextMessageContent(name, said + delta)
            case (
                events.ReasoningMessageContent(before, said),
                events.ReasoningMessageContent(name, delta),
            ) if before == name:
                joined[-1] = events.ReasoningMessageContent(name, said + delta)
            case (events.ToolCallArgs(before, said), events.ToolCallArgs(name, delta)) if before == name:
                joined[-1] = events.ToolCallArgs(name, said + delta)
            case _:
                joined.append(event)
    return joined


def assert_well_formed(happened: Sequence[events.Event]) -> None:
    """Everything begins, says something and ends, in this order; nothing begins twice or stays open.

    A message has its reasoning, then either text or tool calls, then at most spans that nobody can read.
    """
    begun: set[str] = set()
    text = span = thought = None
    calls: set[str] = set()
    stage: Literal["reasoning", "text", "calls", "seals"] = "reasoning"

    def begin(name: str) -> str:
        assert name
        assert name not in begun
        begun.add(name)
        return name

    for place, event in enumerate(happened):
        match event:
            case events.TextMessageStart(name):
                assert text is None
                text, stage = begin(name), "reasoning"
            case events.TextMessageContent(name, delta):
                assert name == text
                assert span is None
                assert delta
                assert stage in ("reasoning", "text")
                stage = "text"
            case events.TextMessageEnd(name):
                assert name == text
                assert span is None
                text = None
            case events.ReasoningStart(name):
                assert span is None
                assert text is not None
                span = begin(name)
                if stage != "reasoning":
                    stage = "seals"
            case events.ReasoningMessageStart(name):
                assert name == span
                assert thought is None
                assert stage == "reasoning"
                thought = name
            case events.ReasoningMessageContent(name, delta):
                assert name == thought
                assert delta
            case events.ReasoningMessageEnd(name):
                assert name == thought
                thought = None
            case events.ReasoningEncryptedValue("message", name, value):
                assert name == span
                assert thought is None
                assert value
            case events.ReasoningEncryptedValue("tool-call", name, value):
                assert isinstance(before := happened[place - 1], events.ToolCallStart)
                assert before.tool_call_id == name
                assert value
            case events.ReasoningEnd(name):
                assert name == span
                assert thought is None
                span = None
            case events.ToolCallStart(name, tool, parent):
                assert parent == text
                assert span is None
                assert tool
                assert stage in ("reasoning", "calls")
                stage = "calls"
                calls.add(begin(name))
            case events.ToolCallArgs(name, delta):
                assert name in calls
                assert delta
            case events.ToolCallEnd(name):
                calls.remove(name)
            case _:
                pytest.fail(f"a parser does not say {event}")
    assert text is span is None
    assert not calls
