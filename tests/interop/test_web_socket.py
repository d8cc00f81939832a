"""The newest client's own webSocket(): turns on one socket, Stop, a lost connection, a second reader."""

import pytest

from tokenwire.testing import Reply

from .client import Client, Outcome
from .model import Model

AT_ONCE = {"reconnect": {"delayMs": 1}}
LONG = Reply(text=("Hel", "lo", " and", " on"), hold=True)
answers = pytest.mark.parametrize(
    "reply", [Reply(text=("Hello",)), Reply(reasoning=("hm",), text=("Hello",))], ids=["text", "reasoning first"]
)


def assert_whole(seen: Outcome, reply: Reply) -> None:
    """The answer is all there, once, and the chat is at rest."""
    assert [message["role"] for message in seen.messages] == ["user", "assistant"]
    assert (seen.thinking, seen.answer) == ("".join(reply.reasoning), "".join(reply.text))
    assert (seen.status, seen.loading, seen.error) == ("ready", False, None)
    assert len(seen.called("onFinish")) == 1


def test_turns_share_one_socket(socket: Client, model: Model) -> None:
    for answer in ("One", "Two", "Three"):
        model.say(answer)
    seen = socket.play(["send", "first"], ["send", "second"], ["send", "third"])
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Three")
    (opened,) = seen.requests
    assert opened["url"] == f"{socket.url}?runId={opened['sent'][0]['runId']}"
    assert len({frame["runId"] for frame in opened["sent"]}) == 3
    assert [message["content"] for message in model.requests[-1].body["messages"]] == [
        "first",
        "One",
        "second",
        "Two",
        "third",
    ]


def test_options_of_adapter_and_message(socket: Client, model: Model) -> None:
    model.say("Hi")
    seen = socket.play(["send", "Hello", {"temperature": 0.9}], options={"body": {"persona": "support-agent"}})
    assert seen.answer == "Hi"
    (asked,) = model.requests
    assert asked.body["messages"][0] == {"role": "system", "content": "You help people."}
    assert asked.body["temperature"] == 0.9


def test_stop_reaches_the_model_at_once_and_the_next_turn_works(socket: Client, model: Model) -> None:
    model.reply(LONG, Reply(text=("Hi",)))
    playing = socket.begin(
        ["start", "Hello"], ["untilText", "Hel"], ["stop"], ["settle"], ["tell", "stopped"], ["send", "Go on"]
    )
    asked = model.received()
    asked.step()
    playing.wait("stopped")
    asked.wait_closed()
    seen = playing.result()
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Hi")
    (opened,) = seen.requests
    first, abort, second = opened["sent"]
    assert abort == {"type": "abort", "runId": first["runId"]}
    of_first = [event["chunk"] for event in opened["received"] if event["chunk"].get("runId") == first["runId"]]
    assert [event["type"] for event in of_first] == ["RUN_STARTED"]
    assert model.requests[-1].body["messages"][1] == {"role": "assistant", "content": "Hel"}
    assert second["runId"] != first["runId"]


@answers
def test_a_cut_after_every_event_is_healed(socket: Client, model: Model, reply: Reply) -> None:
    model.reply(reply)
    events = len(socket.play(["send", "Hello"]).chunks)
    model.reply(*[reply] * (events - 1))
    outcomes = socket.play_all(
        socket.scenario(["send", "Hello"], ["untilIdle"], ["untilClosed"], options=AT_ONCE, cuts=[{"after": after}])
        for after in range(1, events)
    )
    for seen in outcomes:
        assert_whole(seen, reply)
        first, second = seen.requests
        assert second["url"].endswith(f"offset={first['received'][-1]['id'].replace(':', '%3A')}")
        assert second["code"] == 1000
        ids = [event["id"] for event in first["received"] + second["received"]]
        assert len(ids) == len(set(ids)) == events
    assert len(model.requests) == events


def test_a_connection_that_breaks_after_each_single_event(socket: Client, model: Model) -> None:
    reply = Reply(reasoning=("h", "m"), text=("Hel", "lo", ", ", "world"), interval=0.01)
    model.reply(reply)
    seen = socket.play(["send", "Hello"], ["untilIdle"], options=AT_ONCE, cuts=[{"after": 1}] * 50)
    assert_whole(seen, reply)
    assert len(model.requests) == 1


def test_a_turn_after_a_cut_opens_a_socket_of_its_own(socket: Client, model: Model) -> None:
    model.say("One")
    model.say("Two")
    seen = socket.play(["send", "first"], ["untilIdle"], ["send", "second"], options=AT_ONCE, cuts=[{"after": 2}])
    assert (seen.status, seen.answer) == ("ready", "Two")
    assert len(seen.requests) == 3


@answers
def test_a_finished_run_is_joined_from_its_start(socket: Client, model: Model, reply: Reply) -> None:
    model.reply(reply)
    seen = socket.play(["send", "Hello"], ["join"], ["settle"])
    assert seen.joined == seen.chunks
    assert seen.requests[1]["url"].startswith(f"{socket.url}?offset=-1&runId=")
    assert len(model.requests) == 1


def test_a_run_under_way_is_joined_by_a_second_reader(socket: Client, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), hold=True))
    playing = socket.begin(
        ["start", "Hello"], ["untilText", "Hel"], ["join"], ["untilJoined", 3], ["tell", "joined"], ["settle"]
    )
    asked = model.received()
    asked.step()
    playing.wait("joined")
    asked.release()
    seen = playing.result()
    assert seen.answer == "Hello"
    assert seen.joined == seen.chunks
    assert len(model.requests) == 1


def test_several_runs_at_once(socket: Client, model: Model) -> None:
    replies = [Reply(text=(f"answer {number} ", "ends"), interval=0.02) for number in range(3)]
    model.reply(*replies)
    runs = [f"at-once-{number}" for number in range(3)]
    seen = socket.play(["askAtOnce", *runs])
    (opened,) = seen.requests
    assert [frame["runId"] for frame in opened["sent"]] == runs
    texts: dict[str, str] = {}
    for chunk in seen.joined:
        if chunk["type"] == "TEXT_MESSAGE_CONTENT":
            texts[chunk["messageId"]] = texts.get(chunk["messageId"], "") + chunk["delta"]
    assert sorted(texts.values()) == sorted("".join(reply.text) for reply in replies)


def test_a_refusal_is_shown_and_the_next_turn_works(socket: Client, model: Model) -> None:
    model.reply(Reply(status=429), Reply(text=("Hi",)))
    refused = socket.play(["send", "Hello"], ["send", "Hello", {"model": "gpt-4o"}])
    assert refused.called("onError") == [["The model is busy. Try again in a moment."]]
    assert (refused.status, refused.answer) == ("ready", "Hi")


def test_a_question_that_is_refused_before_it_is_a_run(socket: Client, model: Model) -> None:
    seen = socket.play(["send", "Hello", {"model": "nobody's"}])
    assert (seen.status, seen.error) == ("error", "Not offered here: this model.")
    assert model.requests == []
