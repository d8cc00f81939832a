"""Responses: the same log gives the same bytes in a wire and framing, however it is read."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.wire.base import NDJSON, SSE, Encoder, Framing, Wire
from tokenwire.wire.detect import WIRES
from tokenwire.wire.offset import format_offset

from .legality import assert_legal, received
from .logs import GOLDEN, KEY, RUNS, logs, recorded

FRAMINGS = (SSE, NDJSON)
NUMBERED = {("rais", "sse"), ("tanstack", "sse"), ("tanstack", "ndjson")}

every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))
every_framing = pytest.mark.parametrize("framing", FRAMINGS, ids=[framing.name for framing in FRAMINGS])


def whole(wire: Wire, framing: Framing, log: Iterable[bytes]) -> bytes:
    return Encoder(wire, framing, KEY).encode(0, log)


@every_framing
@every_wire
@pytest.mark.parametrize("run", RUNS)
def test_a_recorded_run_has_its_bytes(run: str, wire: Wire, framing: Framing) -> None:
    golden = (GOLDEN / run / f"{wire.name}.{framing.name}").read_bytes()
    assert whole(wire, framing, recorded(run)).decode() == golden.decode()
    assert_legal(wire.name, [event for _, event in received(framing.name, golden)])


@pytest.mark.parametrize("run", RUNS)
def test_a_recorded_log_is_canonical(run: str) -> None:
    log = recorded(run)
    assert [events.encode(events.decode(payload)) for payload in log] == log


@every_framing
@every_wire
@settings(deadline=None, max_examples=60)
@given(log=logs())
def test_any_run_is_legal_and_says_what_the_log_says(wire: Wire, framing: Framing, log: list[bytes]) -> None:
    sent = [event for _, event in received(framing.name, whole(wire, framing, log))]
    assert_legal(wire.name, sent)
    logged = [event for event in map(events.decode, log) if isinstance(event, events.TextMessageContent)]
    texts = [event for event in sent if event["type"] in ("text", "TEXT_MESSAGE_CONTENT")]
    assert [event.get("text") or event["delta"] for event in texts] == [event.delta for event in logged]


@every_framing
@every_wire
@settings(deadline=None, max_examples=60)
@given(log=logs(), cuts=st.lists(st.integers(0, 40), max_size=8))
def test_the_bytes_do_not_depend_on_the_batches(
    wire: Wire, framing: Framing, log: list[bytes], cuts: list[int]
) -> None:
    encoder = Encoder(wire, framing, KEY)
    places = sorted(min(place, len(log)) for place in (0, *cuts, len(log)))
    batches = [encoder.encode(start, log[start:end]) for start, end in pairwise(places)]
    assert b"".join(batches) == whole(wire, framing, log)


@every_framing
@pytest.mark.parametrize("name", ["rais", "tanstack"])
@settings(deadline=None, max_examples=60)
@given(log=logs())
def test_a_resume_after_any_event_gives_exactly_the_rest(name: str, framing: Framing, log: list[bytes]) -> None:
    first = Encoder(WIRES[name], framing, KEY)
    delivered = [first.encode(seq, [payload]) for seq, payload in enumerate(log)]
    for after in range(len(log) + 1):
        resumed = Encoder(WIRES[name], framing, KEY, after).encode(after, log[after:])
        assert resumed == b"".join(delivered[after:])


@every_framing
@every_wire
@settings(deadline=None, max_examples=60)
@given(log=logs())
def test_an_offset_names_the_record_it_stands_with(wire: Wire, framing: Framing, log: list[bytes]) -> None:
    encoder = Encoder(wire, framing, KEY)
    for seq, payload in enumerate(log, 1):
        for offset, _ in received(framing.name, encoder.encode(seq - 1, [payload])):
            assert offset == (format_offset(KEY, seq) if (wire.name, framing.name) in NUMBERED else None)


@every_framing
@every_wire
def test_nothing_gives_nothing(wire: Wire, framing: Framing) -> None:
    assert Encoder(wire, framing, KEY).encode(7, []) == b""


@every_framing
@pytest.mark.parametrize("run", RUNS)
def test_a_repeated_terminal_is_the_last_event_without_an_offset(run: str, framing: Framing) -> None:
    wire, log = WIRES["tanstack"], recorded(run)
    (repeated,) = received(framing.name, Encoder(wire, framing, KEY, len(log)).repeat(log[-1]))
    *_, (_, last) = received(framing.name, whole(wire, framing, log))
    assert repeated == (None, last)


@every_framing
def test_what_the_wire_has_no_word_for_is_repeated_as_nothing(framing: Framing) -> None:
    assert Encoder(WIRES["rais"], framing, KEY).repeat(events.encode(events.TextMessageEnd("m"))) == b""


@every_framing
@every_wire
def test_a_response_says_what_it_is(wire: Wire, framing: Framing) -> None:
    encoder = Encoder(wire, framing, KEY)
    content_type = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}[framing.name]
    assert encoder.content_type == content_type
    assert encoder.heartbeat == b"\n"


def test_only_the_newest_tanstack_is_told_the_end_again() -> None:
    assert [name for name, wire in WIRES.items() if wire.repeats_terminal] == ["tanstack"]
