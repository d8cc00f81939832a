"""The same run asked for again: the model is asked once, and everybody gets the whole answer."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask
from .wires import RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

tanstack = pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON], ids=label)


@tanstack
def test_asked_again_after_its_end(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    question = wire.body()
    first, second = (ask(ordinary, wire.path, question).read() for _ in range(2))
    assert first == second
    assert wire.text(first) == "Hello, world"
    assert len(upstream.requests) == 1


@tanstack
def test_asked_again_while_it_runs(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("a", "b", "c", hold=True)
    question = wire.body()
    with ask(ordinary, wire.path, question) as first:
        request = upstream.received()
        request.step()
        first.until(b'"a"')
        with ask(ordinary, wire.path, question) as second:
            second.until(b'"a"')
            request.release()
            assert first.read() == second.read()
    assert wire.text(first.body) == "abc"
    assert len(upstream.requests) == 1


@tanstack
def test_asked_by_many_at_once(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("a", "b", "c", hold="head")
    question = wire.body()
    many = 8
    together = Barrier(many)

    def one() -> bytes:
        together.wait()
        return ask(ordinary, wire.path, question).read()

    with ThreadPoolExecutor(many) as pool:
        asked = [pool.submit(one) for _ in range(many)]
        upstream.received().release()
        bodies = {future.result() for future in asked}
    (body,) = bodies
    assert wire.text(body) == "abc"
    assert wire.finished(body)
    assert len(upstream.requests) == 1


def test_asked_again_in_the_other_framing(upstream: ThreadedUpstream, ordinary: str) -> None:
    question = TANSTACK.body()
    as_sse = TANSTACK.messages(ask(ordinary, TANSTACK.path, question).read())
    as_ndjson = TANSTACK_NDJSON.messages(ask(ordinary, TANSTACK_NDJSON.path, question).read())
    assert as_sse == as_ndjson
    assert len(upstream.requests) == 1


def test_a_refused_run_tells_everybody_who_asked_for_it(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.reply(Reply(status=429, hold="head"))
    question = TANSTACK.body()
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, ordinary, body=question) for _ in range(3)]
        upstream.received().release()
        answers = [future.result() for future in asked]
    answers.append(ask(ordinary, body=question))
    sentence = "The model is busy. Try again in a moment."
    for answer in answers:
        assert (TANSTACK.told(answer) if answer.status == 429 else TANSTACK.failure(answer.read())) == sentence
    assert len(upstream.requests) == 1


def test_another_run_is_another_question(upstream: ThreadedUpstream, ordinary: str) -> None:
    bodies = [ask(ordinary, body=TANSTACK.body()).read() for _ in range(2)]
    assert bodies[0] != bodies[1]
    assert len(upstream.requests) == 2


def test_a_wire_without_run_ids_asks_each_time(upstream: ThreadedUpstream, ordinary: str) -> None:
    first, second = ask(ordinary, body=RAIS.body()), ask(ordinary, body=RAIS.body())
    assert RAIS.finished(first.read())
    assert RAIS.finished(second.read())
    assert first.headers["x-run-id"] != second.headers["x-run-id"]
    assert len(upstream.requests) == 2
