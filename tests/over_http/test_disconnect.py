"""Hanging up is not stopping: what follows when the last reader leaves is the wire's policy."""

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import ask, connect, get
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

# the policies of the server `brisk`: RAIS cancel, TanStack grace(1), TanStack legacy continue


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON], ids=label)
def test_the_model_is_not_kept_talking_to_nobody(upstream: ThreadedUpstream, brisk: str, wire: Wire) -> None:
    upstream.say("heard", "unheard", hold=True)
    with ask(brisk, wire.path, wire.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b'"heard"')
    request.wait_closed()


def test_a_run_that_was_abandoned_says_so(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("heard", "unheard", hold=True)
    with ask(brisk, body=TANSTACK.body()) as answer:
        upstream.received().step()
        answer.until(b'"heard"')
        run_id = answer.headers["x-run-id"]
    upstream.received().wait_closed()
    joined = get(brisk, f"/api/chat?offset=-1&runId={run_id}").read()
    assert TANSTACK.text(joined) == "heard"
    assert TANSTACK.last(joined)["code"] == "abandoned"


def test_with_continue_the_answer_is_there_for_whoever_comes_later(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("heard, ", "unheard", hold=True)
    with ask(brisk, body=LEGACY.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"heard")
        run_id = answer.headers["x-run-id"]
    with get(brisk, f"/api/chat?offset=-1&runId={run_id}") as later:
        later.heartbeats(3)
    with get(brisk, f"/api/chat?offset=-1&runId={run_id}") as last:
        request.release()
        assert LEGACY.text(last.read()) == "heard, unheard"
    request.wait_finished()


def test_whoever_comes_back_within_the_grace_keeps_the_run_going(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("one ", "two", hold=True)
    with ask(brisk, body=TANSTACK.body()) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        run_id = answer.headers["x-run-id"]
    with get(brisk, f"/api/chat?offset=-1&runId={run_id}") as back:
        back.until(b"one ")
        back.heartbeats(25)  # more than the whole grace
        request.release()
        assert TANSTACK.text(back.read()) == "one two"
    request.wait_finished()


def test_a_run_with_a_reader_left_goes_on(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("one ", "two", hold=True)
    with ask(brisk, body=RAIS.body()) as first:
        request = upstream.received()
        request.step()
        first.until(b"one ")
        second = get(brisk, f"/api/chat?offset=-1&runId={first.headers['x-run-id']}")
        second.until(b"one ")
    with second:
        second.heartbeats(3)
        request.release()
        assert RAIS.text(second.read()) == "one two"
    request.wait_finished()


def test_who_hangs_up_before_the_head_is_a_reader_who_left(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("unheard", hold="head")
    body = b'{"messages":[{"role":"user","content":"Hello"}]}'
    with connect(brisk) as client:
        client.sendall(b"POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        request = upstream.received()
    request.wait_closed()


def test_who_hangs_up_in_the_middle_of_the_question_asks_nothing(upstream: ThreadedUpstream, brisk: str) -> None:
    with connect(brisk) as client:
        client.sendall(b'POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"messages":')
    assert RAIS.finished(ask(brisk, body=RAIS.body()).read())
    assert len(upstream.requests) == 1
