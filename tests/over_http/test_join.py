"""``GET``: following a run that somebody asked for."""

from urllib.parse import quote

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import ask, get
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, WIRES, Wire, frames, label


@pytest.mark.parametrize("wire", WIRES, ids=label)
def test_a_finished_run_from_its_start_in_the_wire_it_was_asked_in(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire
) -> None:
    asked = ask(ordinary, wire.path, wire.body())
    body = asked.read()
    joined = get(ordinary, f"{wire.path}?offset=-1&runId={quote(asked.headers['x-run-id'])}")
    assert joined.status == 200
    assert joined.headers["content-type"] == asked.headers["content-type"]
    assert joined.headers["x-run-id"] == asked.headers["x-run-id"]
    assert joined.read() == body
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, RAIS], ids=label)
def test_a_running_run_from_its_start_to_its_end(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("a", "b", hold=True)
    with ask(ordinary, wire.path, wire.body()) as first:
        request = upstream.received()
        request.step()
        first.until(b'"a"')
        with get(ordinary, f"{wire.path}?offset=-1&runId={quote(first.headers['x-run-id'])}") as second:
            second.until(b'"a"')
            request.release()
            assert second.read() == first.read()


def test_a_run_is_there_before_its_first_token(upstream: ThreadedUpstream, ordinary: str) -> None:
    """A reload in a slow start: the hook gives up after two seconds without an event."""
    upstream.say("late", hold=True)
    with (
        ask(ordinary, body=TANSTACK.body(run_id="slow start")),
        get(ordinary, "/api/chat?offset=-1&runId=slow%20start") as joined,
    ):
        joined.until(b"RUN_STARTED")
        upstream.received().release()
        assert TANSTACK.text(joined.read()) == "late"


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, RAIS, LEGACY], ids=label)
def test_from_now_on(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("before", "after", hold=True)
    with ask(ordinary, wire.path, wire.body()) as first:
        request = upstream.received()
        request.step()
        seen = first.until(b"before")
        run_id = quote(first.headers["x-run-id"])
        with get(ordinary, f"{wire.path}?offset=now&runId={run_id}") as second:
            request.release()
            assert second.read() == first.read().removeprefix(seen)
    assert wire.finished(second.body)


def test_from_now_on_after_the_visible_part_of_a_legacy_answer(upstream: ThreadedUpstream, ordinary: str) -> None:
    """What was said before this reader came was still said: the answer was not empty."""
    upstream.say("everything", hold=True)
    with ask(ordinary, body=LEGACY.body()) as first:
        request = upstream.received()
        request.step()
        first.until(b"everything")
        with get(ordinary, f"/api/chat?offset=now&runId={quote(first.headers['x-run-id'])}") as second:
            request.release()
            assert LEGACY.finished(first.read())
            assert LEGACY.finished(second.read())


def test_from_now_on_when_it_has_ended(upstream: ThreadedUpstream, ordinary: str) -> None:
    end = TANSTACK.messages(ask(ordinary, body=TANSTACK.body(run_id="ended")).read())[-1]
    (again,) = TANSTACK.messages(get(ordinary, "/api/chat?offset=now&runId=ended").read())
    assert again == (None, end.event)
    asked = ask(ordinary, body=RAIS.body())
    asked.read()
    assert get(ordinary, f"/api/chat/rais?offset=now&runId={asked.headers['x-run-id']}").status == 204


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, RAIS], ids=label)
def test_by_an_offset_in_the_query(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    body = ask(ordinary, wire.path, wire.body()).read()
    offset = wire.messages(body)[0].id
    joined = get(ordinary, f"{wire.path}?offset={quote(str(offset))}")
    assert joined.read() == b"".join(frames(wire, body)[1:])


def test_the_header_beats_the_query(upstream: ThreadedUpstream, ordinary: str) -> None:
    """A join that drops comes back with both."""
    body = ask(ordinary, body=TANSTACK.body(run_id="both places")).read()
    offset = TANSTACK.messages(body)[1].id
    joined = get(ordinary, "/api/chat?offset=-1&runId=both%20places", {"last-event-id": str(offset)})
    assert joined.read() == b"".join(frames(TANSTACK, body)[2:])


@pytest.mark.parametrize(
    "query",
    [
        "?offset=-1&runId=nobody",
        "?offset=now&runId=nobody",
        "?offset=-1",
        "?offset=-1&runId=",
        "?offset=now",
        "?offset=AAAAAAAAAAAAAAAAAAAA:1",
        "?offset=garbage&runId=nobody",
        "?offset=-1&runId=%00%0d%0a",
        "?offset=-1&runId=%ff%fe",
        "?offset=-1&runId=" + "x" * 5000,
    ],
)
def test_a_run_that_is_not_there(upstream: ThreadedUpstream, ordinary: str, query: str) -> None:
    answer = get(ordinary, f"/api/chat{query}")
    assert answer.status == 404
    assert answer.json["error"]["code"] == "unknown_run"
    assert get(ordinary, f"/api/chat/rais{query}").status == 204
    assert upstream.requests == []


def test_a_run_that_failed_tells_so(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("a", hold=True)
    with ask(ordinary, body=TANSTACK.body(run_id="cancelled")):
        upstream.received().step()
        ask(ordinary, "/api/chat/runs/cancelled/cancel").read()
    assert TANSTACK.finished(get(ordinary, "/api/chat?offset=-1&runId=cancelled").read())


@pytest.mark.parametrize("query", ["", "?threadId=thread-1", "?runId=run-1", "?offset="])
def test_a_join_that_names_no_place(ordinary: str, query: str) -> None:
    answer = get(ordinary, f"/api/chat{query}")
    assert answer.status in (400, 422)
    assert "offset" in answer.json["error"]["message"]
