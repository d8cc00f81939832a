"""Reconnecting by ``Last-Event-ID``: exactly what follows, byte for byte, and never the model again."""

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import Answer, ask, get
from .wires import RAIS, RESUMING, TANSTACK, TANSTACK_NDJSON, Wire, frames, label

resuming = pytest.mark.parametrize("wire", RESUMING, ids=label)

WORDS = ("one ", "two ", "three ", "four")


def resume(url: str, wire: Wire, offset: str | None) -> Answer:
    """The client's second attempt: the same request and where it was."""
    return ask(url, wire.path, wire.body(), {"last-event-id": offset or ""})


def finished(upstream: ThreadedUpstream, url: str, wire: Wire) -> bytes:
    """A whole answer, each of its words an event of its own."""
    upstream.say(*WORDS, hold=True)
    with ask(url, wire.path, wire.body()) as answer:
        request = upstream.received()
        for word in WORDS:
            request.step()
            answer.until(word.encode())
        request.release()
        return answer.read()


@resuming
def test_a_finished_run_at_every_offset(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    body = finished(upstream, ordinary, wire)
    offsets = [message.id for message in wire.messages(body)]
    parts = frames(wire, body)
    assert len(offsets) == len(parts) >= len(WORDS) + 1
    for place, offset in enumerate(offsets[:-1], 1):
        answer = resume(ordinary, wire, offset)
        assert answer.status == 200
        assert answer.read() == b"".join(parts[place:])
    assert len(upstream.requests) == 1


@resuming
def test_a_running_run_at_every_offset(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say(*WORDS, hold=True)
    with ask(ordinary, wire.path, wire.body()) as first:
        request = upstream.received()
        for word in WORDS[:3]:
            request.step()
            first.until(word.encode())
        seen = [message.id for message in wire.messages(first.body)]
        later = [resume(ordinary, wire, offset) for offset in seen]
        for answer in later[:-1]:
            answer.until(WORDS[2].encode())
        request.release()
        parts = frames(wire, first.read())
    for place, answer in enumerate(later, 1):
        assert answer.status == 200
        assert answer.read() == b"".join(parts[place:])
    assert len(upstream.requests) == 1


@resuming
def test_from_before_the_first_event(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    body = finished(upstream, ordinary, wire)
    key = str(wire.messages(body)[0].id).rpartition(":")[0]
    assert resume(ordinary, wire, f"{key}:0").read() == body


def test_a_finished_rais_run_has_nothing_to_come(upstream: ThreadedUpstream, ordinary: str) -> None:
    last = RAIS.messages(finished(upstream, ordinary, RAIS))[-1].id
    answer = resume(ordinary, RAIS, last)
    assert (answer.status, answer.read()) == (204, b"")


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON], ids=label)
def test_a_finished_tanstack_run_repeats_its_end_without_an_offset(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire
) -> None:
    end = wire.messages(finished(upstream, ordinary, wire))[-1]
    answer = resume(ordinary, wire, end.id)
    assert answer.status == 200
    (again,) = wire.messages(answer.read())
    assert again == (None, end.event)


@resuming
@pytest.mark.parametrize(
    "offset",
    [
        "AAAAAAAAAAAAAAAAAAAA:1",  # well formed, of no run here
        "AAAAAAAA:9999999999999999",
        "42",
        "-1",
        "now",
        ":",
        "a:b",
        "null",
        "é",
        "../../etc/passwd:1",
        "AAAAAAAAAAAAAAAAAAAA:1 OR 1=1",
        "x" * 5000,
    ],
)
def test_an_offset_that_is_none_of_ours(upstream: ThreadedUpstream, ordinary: str, wire: Wire, offset: str) -> None:
    answer = resume(ordinary, wire, offset)
    assert answer.status == (204 if wire.name == "rais" else 404)
    assert upstream.requests == []


@resuming
@pytest.mark.parametrize("seq", ["999", "-1", "01", "1.0", "+1", "1e0", " 1", "", "9" * 16, "9" * 400, "١"])
def test_a_place_that_the_run_does_not_have(upstream: ThreadedUpstream, ordinary: str, wire: Wire, seq: str) -> None:
    key = str(wire.messages(finished(upstream, ordinary, wire))[0].id).rpartition(":")[0]
    headers = {"last-event-id": f"{key}:{seq}".encode().decode("latin-1")}
    answer = ask(ordinary, wire.path, wire.body(), headers)
    assert answer.status == (204 if wire.name == "rais" else 404)
    assert len(upstream.requests) == 1


def test_a_resume_does_not_look_at_the_messages(upstream: ThreadedUpstream, ordinary: str) -> None:
    body = finished(upstream, ordinary, TANSTACK)
    offset = TANSTACK.messages(body)[0].id
    question = TANSTACK.body(messages=[])
    answer = ask(ordinary, body=question, headers={"last-event-id": str(offset)})
    assert answer.read() == b"".join(frames(TANSTACK, body)[1:])


def test_a_lost_reader_misses_nothing(upstream: ThreadedUpstream, ordinary: str) -> None:
    """The whole of it: a connection drops in mid-answer, the model goes on, the client comes back."""
    upstream.say(*WORDS, hold=True)
    question = TANSTACK.body(run_id="dropped")
    with ask(ordinary, body=question) as first:
        request = upstream.received()
        request.step()
        first.until(b"one ")
    request.step(2)
    offset = TANSTACK.messages(first.body)[-1].id
    with ask(ordinary, body=question, headers={"last-event-id": str(offset)}) as second:
        request.release()
        second.read()
    whole = get(ordinary, "/api/chat?offset=-1&runId=dropped").read()
    assert first.body + second.body == whole
    assert TANSTACK.text(whole) == "".join(WORDS)
