"""The streams by which to see what a proxy makes of one."""

import json
from contextlib import ExitStack

import pytest

from .client import get

STREAM = "/healthz?stream=1"


def test_it_comes_as_an_answer_would(ordinary: str) -> None:
    answer = get(ordinary, STREAM, {"authorization": "Bearer x", "x-forwarded-for": "10.0.0.1"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    events = [json.loads(block.removeprefix("data: ")) for block in answer.read().decode().split("\n\n") if block]
    assert events[0]["arrived"] == ["authorization", "x-forwarded-for"]
    assert [event["n"] for event in events[1:]] == [1, 2, 3, 4]


def test_it_tells_what_arrived_and_nothing_of_it(ordinary: str) -> None:
    assert b"tell-nobody" not in get(ordinary, STREAM, {"cookie": "a=tell-nobody", "origin": ordinary}).read()


def test_it_is_as_silent_as_an_answer_may_be(brisk: str) -> None:
    first, heartbeat, last = get(brisk, "/healthz?stream=slow").read().split(b"\n\n", 2)[0:3]
    assert json.loads(first.removeprefix(b"data: "))["heartbeat"] == 0.1
    assert heartbeat.startswith(b"\ndata: ")
    assert last == b""


@pytest.mark.parametrize("kind", ["", "2", "SLOW"])
def test_there_are_no_others(ordinary: str, kind: str) -> None:
    assert get(ordinary, f"/healthz?stream={kind}").status == 422


def test_no_more_than_a_few_are_sent_at_once(ordinary: str) -> None:
    with ExitStack() as stack:
        open_now = [stack.enter_context(get(ordinary, "/healthz?stream=slow")) for _ in range(16)]
        assert {answer.status for answer in open_now} == {200}
        assert get(ordinary, STREAM).status == 503
        assert get(ordinary, "/healthz").status == 200
