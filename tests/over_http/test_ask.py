"""A question in every wire, at every address that speaks it."""

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask
from .wires import RAIS, TANSTACK, WIRES, Message, Wire, label

every_wire = pytest.mark.parametrize("wire", WIRES, ids=label)

CONTENT_TYPES = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}


@every_wire
def test_an_answer_streams_from_its_head_to_its_end(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    upstream.say("Grüß ", "dich", hold=True)
    with ask(ordinary, wire.path, wire.body("Hi there")) as answer:
        request = upstream.received()
        assert request.body["messages"] == [{"role": "user", "content": "Hi there"}]
        request.step()
        assert "dich" not in wire.text(answer.until("Grüß ".encode()))
        request.release()
        body = answer.read()
    assert answer.status == 200
    assert answer.headers["content-type"] == CONTENT_TYPES[wire.framing]
    assert "no-cache" in answer.headers["cache-control"]
    assert "no-transform" in answer.headers["cache-control"]
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-run-id"]
    assert "content-encoding" not in answer.headers
    assert b"\r" not in body
    assert b'": ' not in body
    assert wire.text(body) == "Grüß dich"
    assert wire.finished(body)


@every_wire
def test_offsets_are_where_the_wire_has_a_place_for_them(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    body = ask(ordinary, wire.path, wire.body()).read()
    ids = [message.id for message in wire.messages(body)]
    if wire.resumes:
        assert None not in ids
        assert len(set(ids)) == len(ids)
        for offset in filter(None, ids):
            assert offset.isascii()
            assert offset.isprintable()
            assert " " not in offset
    else:
        assert set(ids) == {None}


def test_a_rais_answer_is_text_and_done_and_nothing_else(upstream: ThreadedUpstream, ordinary: str) -> None:
    upstream.reply(Reply(text=["Hello"], reasoning=["hm"]))
    messages = RAIS.messages(ask(ordinary, body=RAIS.body()).read())
    assert [message.event for message in messages] == [{"type": "text", "text": "Hello"}, {"type": "done"}]


def test_a_tanstack_answer_carries_the_clients_own_ids(upstream: ThreadedUpstream, ordinary: str) -> None:
    answer = ask(ordinary, body=TANSTACK.body(run_id="my-run", threadId="my-thread"))
    events = [message.event for message in TANSTACK.messages(answer.read())]
    assert answer.headers["x-run-id"] == "my-run"
    assert events[0] == {"type": "RUN_STARTED", "threadId": "my-thread", "runId": "my-run"}
    assert (events[-1]["threadId"], events[-1]["runId"]) == ("my-thread", "my-run")
    assert events[-1]["finishReason"] == "stop"
    assert [event["type"] for event in events[1:2] + events[-2:-1]] == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_END"]


@pytest.mark.parametrize("wire", [wire for wire in WIRES if wire.name != "rais"], ids=label)
def test_two_questions_have_message_ids_of_their_own(upstream: ThreadedUpstream, ordinary: str, wire: Wire) -> None:
    def message_id(messages: list[Message]) -> str:
        (start,) = [m.event for m in messages if m.event["type"] == "TEXT_MESSAGE_START"]
        return str(start["messageId"])

    bodies = [ask(ordinary, wire.path, wire.body()).read() for n in range(2)]
    first, second = (message_id(wire.messages(body)) for body in bodies)
    assert first != second


def test_a_persona_and_a_temperature_reach_the_model(upstream: ThreadedUpstream, ordinary: str) -> None:
    ask(ordinary, body=RAIS.body("Hi", persona="support-agent", temperature=0.7, api_key="x", stop="y")).read()
    sent = upstream.received().body
    assert sent["messages"][0] == {"role": "system", "content": "You help people."}
    assert sent["temperature"] == 0.7
    assert sent["model"] == "upstream-of-small"
    assert set(sent) == {"model", "messages", "stream", "stream_options", "temperature"}


@every_wire
def test_an_answer_that_breaks_off_is_an_error_at_its_end(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire
) -> None:
    upstream.reply(Reply(text=["all ", "is "], finish_reason=None, done=False))
    body = ask(ordinary, wire.path, wire.body()).read()
    assert wire.text(body) == "all is "
    assert wire.failure(body) == "The answer broke off: the connection to the model was lost."
