"""A page that is reloaded in mid-answer: the newest client finds its run again by the pointer it stored."""

import pytest

from tokenwire.testing import Reply

from .client import Client, text_of
from .model import Model
from .test_resume import PLAIN, answers, assert_whole

STORED = {"client": {"threadId": "thread-1"}, "storage": {}}


@answers
def test_a_reload_at_every_event_shows_the_whole_answer(resuming: Client, model: Model, reply: Reply) -> None:
    model.reply(reply)
    events = len(resuming.play(["send", "Hello"]).chunks)
    model.reply(*[reply] * (events - 1))
    # a client stores its pointer with the first event and drops it with the last
    outcomes = resuming.play_all(
        resuming.scenario(
            ["start", "Hello"],
            ["untilHeld"],
            ["reloadPage"],
            ["untilIdle"],
            client={"threadId": f"thread-{after}"},
            storage={},
            cuts=[{"after": after, "how": "hold"}],
        )
        for after in range(1, events)
    )
    for seen in outcomes:
        assert_whole(seen, reply)
        (record,) = seen.storage.values()
        assert "resume" not in record
        assert seen.requests[1]["method"] == "GET"
    assert len(model.requests) == events


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text=("Hel", "lo"), hold=True),
        Reply(reasoning=("h", "m"), text=("Hel", "lo"), hold=True),
    ],
    ids=["text", "reasoning first"],
)
def test_a_reload_while_the_model_speaks_follows_it_live(resuming: Client, model: Model, reply: Reply) -> None:
    model.reply(reply)
    playing = resuming.begin(
        ["start", "Hello"],
        ["untilEvents", 3],
        ["reloadPage"],
        ["untilEvents", 3],
        ["tell", "rejoined"],
        ["untilIdle"],
        **STORED,
    )
    asked = model.received()
    asked.step()
    playing.wait("rejoined")
    asked.release()
    assert_whole(playing.result(), reply)
    assert len(model.requests) == 1


def test_a_reload_before_the_first_token_waits_for_it(resuming: Client, model: Model) -> None:
    reply = Reply(text=("Hello",), hold="head")
    model.reply(reply)
    playing = resuming.begin(
        ["start", "Hello"],
        ["untilEvents", 1],
        ["reloadPage"],
        ["untilEvents", 1],
        ["tell", "rejoined"],
        ["untilIdle"],
        **STORED,
    )
    asked = model.received()
    playing.wait("rejoined")
    asked.release()
    assert_whole(playing.result(), reply)


def test_a_reload_of_a_failed_run_shows_the_failure(resuming: Client, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), error_after=1))
    seen = resuming.play(
        ["start", "Hello"],
        ["untilHeld"],
        ["reloadPage"],
        ["untilIdle"],
        cuts=[{"after": 3, "how": "hold"}],
        **STORED,
    )
    assert (seen.status, seen.answer) == ("error", "Hel")
    assert seen.error == seen.chunks[-1]["message"]


def test_an_unknown_run_leaves_the_transcript_and_clears_the_pointer(resuming: Client, model: Model) -> None:
    transcript = [
        {"id": "u1", "role": "user", "parts": [{"type": "text", "content": "Hello"}]},
        {"id": "a1", "role": "assistant", "parts": [{"type": "text", "content": "Hel"}]},
    ]
    pointer = {"resumeState": {"threadId": "thread-1", "runId": "run-long-gone"}}
    seen = resuming.play(
        ["attach"],
        ["untilIdle"],
        client={"threadId": "thread-1"},
        storage={"thread-1": {"messages": transcript, "resume": pointer}},
    )
    assert [text_of(message, "text") for message in seen.messages] == ["Hello", "Hel"]
    assert (seen.status, seen.error) == ("ready", None)
    assert "resume" not in seen.storage["thread-1"]
    assert [request["status"] for request in seen.requests] == [404]
    assert model.requests == []


def test_a_turn_after_a_reload_goes_on_from_the_whole_answer(resuming: Client, model: Model) -> None:
    model.reply(PLAIN, Reply(text=("Bye",)))
    seen = resuming.play(
        ["start", "Hello"],
        ["untilHeld"],
        ["reloadPage"],
        ["untilIdle"],
        ["send", "Bye"],
        cuts=[{"after": 3, "how": "hold"}],
        **STORED,
    )
    assert seen.answer == "Bye"
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
