"""Refusals: a status and a short sentence before the first byte, an error event after it."""

from collections.abc import Callable
from time import monotonic

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import PATIENCE, ask, get
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

wires = pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)

SECRET = "the upstream's own words"

REFUSALS = {
    "its key is refused": (Reply(status=401, body=SECRET), 502, "The server's access to the model was refused."),
    "it is forbidden": (Reply(status=403, body=SECRET), 502, "The server's access to the model was refused."),
    "too many asked it": (Reply(status=429, body=SECRET), 429, "The model is busy. Try again in a moment."),
    "it did not like it": (Reply(status=400, body=SECRET), 400, "The model did not accept this conversation."),
    "it is not there": (Reply(status=404, body=SECRET), 502, "The model reported an error."),
    "it broke": (Reply(status=500, body=SECRET), 502, "The model reported an error."),
    "it is down": (Reply(status=503, body=SECRET), 502, "The model could not be reached."),
    "its gateway gave up": (Reply(status=504, body=SECRET), 504, "The model did not answer in time."),
    "it is a web page": (
        Reply(body=SECRET, headers={"content-type": "Text/HTML; charset=UTF-8"}),
        502,
        "The model's answer could not be read.",
    ),
    "it does not stream": (Reply(body={"error": SECRET}), 502, "The model's answer could not be read."),
    "it is compressed": (
        Reply(text=[SECRET], headers={"content-encoding": "gzip"}),
        502,
        "The model's answer could not be read.",
    ),
    "it is no HTTP": (Reply(raw=b"SSH-2.0-nonsense\r\n"), 502, "The model could not be reached."),
    "it hangs up": (Reply(raw=b""), 502, "The model could not be reached."),
    "it is cut off": (Reply(cut_at=20), 502, "The model could not be reached."),
    "it is reset": (Reply(reset_at=20), 502, "The model could not be reached."),
}


@wires
@pytest.mark.parametrize("why", REFUSALS)
def test_the_model_refuses(upstream: ThreadedUpstream, ordinary: str, wire: Wire, why: str) -> None:
    reply, status, sentence = REFUSALS[why]
    upstream.reply(reply)
    answer = ask(ordinary, wire.path, wire.body())
    assert answer.status == status
    assert wire.told(answer) == sentence
    assert SECRET.encode() not in answer.body


def test_a_model_that_says_it_does_not_compress_is_heard(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.reply(Reply(text=["plain"], headers={"content-encoding": "identity"}))
    assert RAIS.text(ask(ordinary, body=RAIS.body()).read()) == "plain"


@pytest.mark.parametrize(
    ("said", "told"), [("7", "7"), ("soon", None), ("-1", None), ("1.5", None), ("9" * 30, "86400"), ("٣", "3")]
)
def test_when_to_come_back(upstream: ThreadedUpstream, ordinary: str, said: str, told: str | None) -> None:
    header = said if said.isascii() else said.encode().decode("latin-1")
    upstream.reply(Reply(status=429, headers={"retry-after": header}))
    answer = ask(ordinary, body=RAIS.body())
    assert answer.status == 429
    if said.isascii():
        assert answer.headers["retry-after"] == told


@wires
def test_nobody_is_at_the_models_address(ordinary: str, wire: Wire) -> None:
    answer = ask(ordinary, wire.path, wire.body(model="nowhere"))
    assert answer.status == 502
    assert wire.told(answer) == "The model could not be reached."
    assert b"127.0.0.1" not in answer.body


@wires
def test_the_model_is_silent(upstream: ThreadedUpstream, strict: str, wire: Wire) -> None:
    upstream.say("never", hold="head")
    answer = ask(strict, wire.path, wire.body())
    assert answer.status == 504
    assert wire.told(answer) == "The model did not answer in time."
    upstream.received().wait_closed()


@wires
def test_the_model_falls_silent(upstream: ThreadedUpstream, strict: str, wire: Wire) -> None:
    upstream.reply(Reply(text=["so far", "never"], interval=600))
    answer = ask(strict, wire.path, wire.body())
    body = answer.read()
    assert answer.status == 200
    assert wire.text(body) == "so far"
    assert wire.failure(body) == "The answer broke off. The model did not answer in time."
    upstream.received().wait_closed()


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, LEGACY], ids=label)
def test_a_refusal_that_comes_late_is_told_in_the_stream(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.reply(Reply(status=429, body=SECRET, hold="head"))
    with ask(ordinary, wire.path, wire.body()) as answer:
        assert answer.status == 200
        upstream.received().release()
        body = answer.read()
    assert wire.failure(body) == "The model is busy. Try again in a moment."
    assert SECRET.encode() not in body


@wires
def test_an_error_in_the_stream(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.reply(Reply(text=["a", "b"], error_after=1, error={"message": SECRET}))
    body = ask(ordinary, wire.path, wire.body()).read()
    assert wire.text(body) == "a"
    assert wire.failure(body) == "The answer broke off. The model reported an error."
    assert SECRET.encode() not in body


@wires
def test_the_server_has_too_many_runs(upstream: ThreadedUpstream, brisk: str, wire: Wire) -> None:
    upstream.say("one", hold=True)
    upstream.say("two", hold=True)
    questions = [TANSTACK.body(), TANSTACK.body()]
    with ask(brisk, body=questions[0]) as one, ask(brisk, body=questions[1]) as two:
        answer = ask(brisk, wire.path, wire.body())
        assert answer.status == 503
        assert wire.told(answer) == "The server is at its limit. Try again in a moment."
        with ask(brisk, body=questions[0]) as attached:
            for number in (1, 2):
                upstream.received(number).release()
            assert TANSTACK.text(attached.read()) == "one"
        assert (TANSTACK.text(one.read()), TANSTACK.text(two.read())) == ("one", "two")
    assert len(upstream.requests) == 2


def eventually(look: Callable[[], int], wanted: int) -> bool:
    """Whether what a look shows becomes what is wanted."""
    patience = monotonic() + PATIENCE
    while monotonic() < patience:
        if look() == wanted:
            return True
    return False


def test_a_finished_run_is_forgotten_in_time(upstream: ThreadedUpstream, brisk: str) -> None:
    asked = ask(brisk, body=TANSTACK.body())
    last = TANSTACK.messages(asked.read())[-1].id

    def join() -> int:
        answer = get(brisk, f"/api/chat?offset=-1&runId={asked.headers['x-run-id']}")
        answer.read()
        return answer.status

    assert eventually(join, 404)
    answer = ask(brisk, body=TANSTACK.body(), headers={"last-event-id": str(last)})
    assert answer.status == 404
    assert len(upstream.requests) == 1
