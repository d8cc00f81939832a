"""Stop: the model's socket is closed, everybody who reads is told at once, and nothing else is touched."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tokenwire.testing import ThreadedUpstream

from .client import Answer, ask, get
from .wires import RAIS, TANSTACK, TANSTACK_NDJSON, WIRES, Wire, label


def cancel(url: str, run_id: str) -> Answer:
    return ask(url, f"/api/chat/runs/{quote(run_id, safe='')}/cancel")


@pytest.mark.parametrize("wire", WIRES, ids=label)
def test_a_stop_reaches_the_model_and_every_reader(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("so far", "never", hold=True)
    with ask(ordinary, wire.path, wire.body()) as first:
        run_id = first.headers["x-run-id"]
        request = upstream.received()
        request.step()
        first.until(b"so far")
        with get(ordinary, f"{wire.path}?offset=-1&runId={quote(run_id)}") as second:
            second.until(b"so far")
            stopped = cancel(ordinary, run_id)
            assert stopped.status == 200
            assert stopped.json == {"runId": run_id, "cancelled": True}
            assert first.read() == second.read()
    request.wait_closed()
    assert wire.text(first.body) == "so far"
    assert wire.finished(first.body)


def test_a_stopped_answer_is_complete_for_its_client(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("so far", "never", hold=True)
    with ask(ordinary, body=TANSTACK.body()) as answer:
        upstream.received().step()
        answer.until(b"so far")
        cancel(ordinary, answer.headers["x-run-id"])
        events = [message.event for message in TANSTACK.messages(answer.read())]
    assert [event["type"] for event in events[-2:]] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
    assert events[-1]["finishReason"] == "stop"


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON], ids=label)
def test_a_stop_while_the_status_line_waits_for_the_model(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire
) -> None:
    upstream.say("never", hold="head")
    question = wire.body()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, ordinary, wire.path, question)
        request = upstream.received()
        assert cancel(ordinary, question["runId"]).json["cancelled"]
        request.wait_closed()
        answer = asked.result()
    assert answer.status == 200
    assert wire.finished(answer.read())


def test_a_stop_before_the_models_head(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("never", hold="head")
    with ask(ordinary, body=RAIS.body()) as answer:
        assert cancel(ordinary, answer.headers["x-run-id"]).json["cancelled"]
        assert RAIS.messages(answer.read())[0].event == {"type": "done"}
    upstream.received().wait_closed()


def test_a_second_stop_changes_nothing(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.say("so far", hold=True)
    with ask(ordinary, body=TANSTACK.body()) as answer:
        run_id = answer.headers["x-run-id"]
        assert cancel(ordinary, run_id).json["cancelled"] is True
        body = answer.read()
    again = cancel(ordinary, run_id)
    assert (again.status, again.json["cancelled"]) == (200, False)
    assert get(ordinary, f"/api/chat?offset=-1&runId={run_id}").read() == body


def test_a_stop_that_comes_late_does_not_touch_the_next_run(upstream: ThreadedUpstream, ordinary: str) -> None:
    old = TANSTACK.body()
    ask(ordinary, body=old).read()
    upstream.say("a", "b", hold=True)
    with ask(ordinary, body=TANSTACK.body()) as answer:
        request = upstream.received(2)
        request.step()
        assert cancel(ordinary, old["runId"]).json == {"runId": old["runId"], "cancelled": False}
        request.release()
        assert TANSTACK.text(answer.read()) == "ab"
    request.wait_finished()


@pytest.mark.parametrize("run_id", ["nobody", "", " ", "%00", "\r\n", "é", "..", "x" * 5000])
def test_a_run_that_is_not_there(ordinary: str, run_id: str) -> None:
    answer = cancel(ordinary, run_id)
    assert answer.status == 404
    assert answer.json["error"]["code"] in ("unknown_run", "not_found")


@pytest.mark.parametrize("run_id", ["a run", "a/b", "a?b#c", "50%", "a%2Fb", "a+b&c=d", "~" * 200])
def test_every_run_id_that_is_accepted_can_be_stopped(upstream: ThreadedUpstream, ordinary: str, run_id: str) -> None:
    upstream.say("so far", hold=True)
    with ask(ordinary, body=TANSTACK.body(run_id=run_id)) as answer:
        assert answer.headers["x-run-id"] == run_id
        stopped = cancel(ordinary, run_id)
        assert stopped.status == 200
        assert stopped.json == {"runId": run_id, "cancelled": True}
        assert TANSTACK.finished(answer.read())


def test_a_stop_makes_room(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("one", hold=True)
    upstream.say("two", hold=True)
    with ask(brisk, body=TANSTACK.body()) as one, ask(brisk, body=TANSTACK.body()):
        assert ask(brisk, body=TANSTACK.body()).status == 503
        cancel(brisk, one.headers["x-run-id"])
        assert TANSTACK.text(ask(brisk, body=TANSTACK.body()).read()) == "Hello, world"


def test_a_stop_is_a_post(ordinary: str) -> None:
    answer = get(ordinary, "/api/chat/runs/nobody/cancel")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
