"""What keeps a stream alive, and that no reader holds up another."""

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

RAIS_NDJSON = Wire("rais", "/api/chat/ndjson", "ndjson", resumes=False)


@pytest.mark.parametrize("wire", [RAIS, RAIS_NDJSON, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
def test_heartbeats_come_before_the_first_token_and_between_tokens(
    upstream: ThreadedUpstream, brisk: str, wire: Wire
) -> None:
    upstream.say("one ", "two", hold=True)
    with ask(brisk, wire.path, wire.body()) as answer:
        request = upstream.received()
        answer.heartbeats(3)
        assert b"one" not in answer.body
        request.step()
        answer.until(b"one ")
        answer.heartbeats(3)
        request.release()
        assert wire.text(answer.read()) == "one two"
    assert wire.finished(answer.body)


def test_heartbeats_come_while_a_model_says_what_the_wire_has_no_word_for(
    upstream: ThreadedUpstream, brisk: str
) -> None:
    """A model that thinks for minutes: RAIS shows nothing of it, and its client must not take it for dead."""
    upstream.reply(Reply(reasoning=["hm "] * 30, text=["so"], interval=0.02))
    body = ask(brisk, body=RAIS.body()).read()
    assert body.startswith(b"\n")
    assert RAIS.text(body) == "so"


def test_a_head_that_is_late_is_waited_for_in_the_stream(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("late", hold="head")
    with ask(brisk, body=RAIS.body()) as answer:
        answer.heartbeats(2)
        upstream.received().release()
        assert RAIS.text(answer.read()) == "late"


def test_a_reader_that_does_not_read_holds_up_nobody(upstream: ThreadedUpstream, ordinary: str) -> None:
    words = [f"{number:05}" + "x" * 2000 for number in range(4000)]
    upstream.reply(Reply(text=words, hold=True))
    question = TANSTACK.body()
    with ask(ordinary, body=question, receive_buffer=4096) as slow, ask(ordinary, body=question) as fast:
        request = upstream.received()
        request.release()
        whole = fast.read()
        request.wait_finished()
        assert TANSTACK.text(whole) == "".join(words)
        assert slow.read() == whole


def test_an_answer_that_outgrows_its_bound_is_stopped(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.reply(Reply(text=["x" * 20_000] * 50, interval=0.01))
    body = ask(brisk, body=TANSTACK.body()).read()
    assert TANSTACK.last(body)["code"] == "answer_too_long"
    assert len(TANSTACK.text(body)) < 300_000
    upstream.received().wait_closed()
