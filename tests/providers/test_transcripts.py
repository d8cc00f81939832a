"""Whatever a provider says, and however it arrives: every codec reads every golden transcript of its API."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.errors import Code
from tokenwire.providers.base import Answer

from .transcripts import TRANSCRIPTS, Said, Transcript, assert_well_formed, read

every_transcript = pytest.mark.parametrize("name", TRANSCRIPTS)
some_transcript = st.sampled_from(list(TRANSCRIPTS.values()))

_ALL_PLACES = 4000


@every_transcript
def test_a_transcript_says_what_it_says(name: str) -> None:
    it = TRANSCRIPTS[name]
    assert read([it.body], it.api).said == it.said


@every_transcript
def test_a_cut_at_any_byte_changes_nothing(name: str) -> None:
    it = TRANSCRIPTS[name]
    whole = read([it.body], it.api)
    for place in places(it.body):
        assert read([it.body[:place], it.body[place:]], it.api) == whole


@every_transcript
def test_bytes_one_by_one_change_nothing(name: str) -> None:
    it = TRANSCRIPTS[name]
    assert read(pieces(it.body, 1), it.api) == read([it.body], it.api)


@settings(deadline=None, max_examples=200)
@given(some_transcript, st.lists(st.integers(0, 20_000), max_size=20))
def test_any_cuts_change_nothing(it: Transcript, cuts: list[int]) -> None:
    ends = sorted({min(place, len(it.body)) for place in cuts} | {len(it.body)})
    cut = [it.body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert read(cut, it.api) == read([it.body], it.api)


@every_transcript
def test_a_body_that_breaks_off_is_truncated_or_says_the_same(name: str) -> None:
    it = TRANSCRIPTS[name]
    decided = False
    for place in places(it.body):
        got = read([it.body[:place]], it.api).said
        assert_begins(it.said, got)
        if got.outcome is Code.upstream_truncated:
            assert not decided
            continue
        decided = True
        if isinstance(it.said.outcome, Answer):
            assert isinstance(got.outcome, Answer)
            assert got._replace(outcome=it.said.outcome) == it.said
            assert got.outcome.reason == it.said.outcome.reason
            assert got.outcome.usage in (None, it.said.outcome.usage)
        else:
            assert got.outcome is it.said.outcome


def assert_begins(said: Said, got: Said) -> None:
    """What was got is the beginning of what was said."""
    assert said.text.startswith(got.text)
    assert said.reasoning.startswith(got.reasoning)
    assert said.signatures[: len(got.signatures)] == got.signatures
    begun = said.calls[: len(got.calls)]
    assert [(call.id, call.name) for call in begun] == [(call.id, call.name) for call in got.calls]
    assert all(whole.arguments.startswith(call.arguments) for whole, call in zip(begun, got.calls, strict=True))


def places(body: bytes) -> Iterable[int]:
    """Where to cut: anywhere; in a long body around the ends of its lines, and here and there within."""
    if len(body) <= _ALL_PLACES:
        return range(len(body))
    near = {place + by for place, byte in enumerate(body) if byte == ord("\n") for by in range(-2, 4)}
    return sorted(place for place in near | set(range(0, len(body), 29)) if 0 <= place < len(body))


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """The body in pieces of a size."""
    return (body[i : i + size] for i in range(0, len(body), size))


@st.composite
def corrupted(draw: st.DrawFn) -> Transcript:
    """A transcript with some bytes other ones, lost or added."""
    it = draw(some_transcript)
    body = bytearray(it.body)
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return it._replace(body=bytes(body))


@st.composite
def disordered(draw: st.DrawFn) -> Transcript:
    """A transcript with lines shuffled, dropped and doubled."""
    it = draw(some_transcript)
    blocks = it.body.split(b"\n\n" if draw(st.booleans()) else b"\n")
    order = draw(st.lists(st.integers(0, len(blocks) - 1), max_size=2 * len(blocks)))
    return it._replace(body=b"\n\n".join(blocks[place] for place in order) + draw(st.sampled_from([b"", b"\n\n"])))


@st.composite
def overwritten(draw: st.DrawFn) -> Transcript:
    """A transcript with any JSON in place of some values."""
    it = draw(some_transcript)
    lines = it.body.split(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        prefix = b"data: " if lines[place].startswith(b"data: ") else b""
        try:
            value = json.loads(lines[place].removeprefix(prefix))
        except ValueError:
            continue
        lines[place] = prefix + json.dumps(with_other_value(draw, value)).encode()
    return it._replace(body=b"\n".join(lines))


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def with_other_value(draw: st.DrawFn, value: Any) -> Any:
    """The same JSON, with another value somewhere in it."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(any_json)
    place: Any = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    changed = value.copy()
    changed[place] = with_other_value(draw, value[place])
    return changed


@settings(deadline=None, max_examples=1000)
@given(corrupted() | disordered() | overwritten(), st.integers(1, 400))
def test_a_body_that_makes_no_sense_ends_in_one_outcome(it: Transcript, size: int) -> None:
    read(pieces(it.body, size), it.api)


BEGUN = events.TextMessageStart("m", "assistant")
ENDED = events.TextMessageEnd("m")
CALL = events.ToolCallStart("c", "f", "m")
SEAL = events.ReasoningEncryptedValue("message", "r", "x")


@pytest.mark.parametrize(
    "happened",
    [
        [events.TextMessageContent("m", "a")],
        [BEGUN],
        [BEGUN, ENDED, BEGUN, ENDED],
        [BEGUN, CALL, ENDED],
        [BEGUN, events.ToolCallArgs("c", "{}"), ENDED],
        [BEGUN, events.ToolCallEnd("c"), ENDED],
        [BEGUN, CALL, events.ToolCallEnd("c"), events.ToolCallArgs("c", "{}"), ENDED],
        [BEGUN, CALL, events.ToolCallEnd("c"), CALL, events.ToolCallEnd("c"), ENDED],
        [BEGUN, CALL, events.ToolCallEnd("c"), events.TextMessageContent("m", "a"), ENDED],
        [BEGUN, events.TextMessageContent("m", "a"), CALL, events.ToolCallEnd("c"), ENDED],
        [BEGUN, SEAL, ENDED],
        [BEGUN, CALL, events.ToolCallEnd("c"), events.ReasoningEncryptedValue("tool-call", "c", "x"), ENDED],
        [events.ReasoningStart("r"), events.ReasoningEnd("r")],
    ],
)
def test_what_is_not_well_formed_is_seen(happened: list[events.Event]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        assert_well_formed(happened)
