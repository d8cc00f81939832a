"""A lost connection of the newest client: nothing lost, nothing doubled, the model asked once."""

import re

import pytest

from tokenwire.testing import Reply

from .client import Client, Outcome
from .model import Model

AT_ONCE = {"reconnect": {"delayMs": 1}}

# one delta of each kind: deltas that arrive together are merged, and the count of events would vary
PLAIN = Reply(text=("Hello",))
REASONED = Reply(reasoning=("hm",), text=("Hello",))

answers = pytest.mark.parametrize("reply", [PLAIN, REASONED], ids=["text", "reasoning first"])


def assert_whole(seen: Outcome, reply: Reply) -> None:
    """The answer is all there, once, and the chat is at rest."""
    assert [message["role"] for message in seen.messages] == ["user", "assistant"]
    assert (seen.thinking, seen.answer) == ("".join(reply.reasoning), "".join(reply.text))
    assert [part["type"] for part in seen.last["parts"]] == ["thinking", "text"][not reply.reasoning :]
    assert (seen.status, seen.loading, seen.error) == ("ready", False, None)


def offsets(received: str) -> list[str]:
    """The offsets in what a response delivered whole."""
    found = re.findall(r'^(?:id: (\S+)\ndata: .*|\{"id":"([^"]+)",.*)\n', received, re.MULTILINE)
    return ["".join(either) for either in found]


@answers
@pytest.mark.parametrize(
    "cut",
    [
        pytest.param({"how": "error"}, id="broken"),
        pytest.param({"how": "end"}, id="ended early"),
        pytest.param({"how": "error", "bytes": 23}, id="broken inside the next event"),
    ],
)
def test_a_cut_after_every_event_is_healed(
    resuming: Client, model: Model, reply: Reply, cut: dict[str, object]
) -> None:
    model.reply(reply)
    events = len(resuming.play(["send", "Hello"]).chunks)
    model.reply(*[reply] * (events - 1))
    cuts = range(1, events)
    outcomes = resuming.play_all(
        resuming.scenario(["send", "Hello"], options=AT_ONCE, cuts=[{**cut, "after": after}]) for after in cuts
    )
    for seen in outcomes:
        assert_whole(seen, reply)
        first, second = seen.requests
        assert "last-event-id" not in first["headers"]
        seen_first, seen_then = offsets(first["received"]), offsets(second["received"])
        assert second["headers"] == {**first["headers"], "last-event-id": seen_first[-1]}
        assert not set(seen_first) & set(seen_then)
        assert (second["url"], second["body"]) == (first["url"], first["body"])
        assert len(seen.called("onFinish")) == 1
    assert len(model.requests) == events


def test_a_connection_that_breaks_after_each_single_event(resuming: Client, model: Model) -> None:
    reply = Reply(reasoning=("h", "m"), text=("Hel", "lo", ", ", "world"), interval=0.01)
    model.reply(reply)
    cuts = [{"after": 1, "how": "error"}] * 50
    seen = resuming.play(["send", "Hello"], options=AT_ONCE, cuts=cuts)
    assert_whole(seen, reply)
    assert len(seen.requests) >= len(seen.chunks)
    assert len(model.requests) == 1


def test_a_connection_reset_after_the_end_is_not_an_error(resuming: Client, model: Model) -> None:
    model.reply(PLAIN, PLAIN)
    events = len(resuming.play(["send", "Hello"]).chunks)
    seen = resuming.play(["send", "Hello"], options=AT_ONCE, cuts=[{"after": events, "how": "error"}])
    assert_whole(seen, PLAIN)
    assert [chunk["type"] for chunk in seen.chunks[-2:]] == ["RUN_FINISHED", "RUN_FINISHED"]
    assert len(model.requests) == 2


def test_the_model_goes_on_while_the_client_is_away(resuming: Client, model: Model) -> None:
    reply = Reply(text=("Hel", "lo", "!"), hold=True)
    model.reply(reply)
    between = [{"after": 3, "how": "error"}]
    steps = (["start", "Hello"], ["untilText", "Hel"], ["tell", "away"], ["settle"])
    playing = resuming.begin(*steps, options=AT_ONCE, cuts=between)
    asked = model.received()
    asked.step()
    playing.wait("away")
    asked.release()
    assert_whole(playing.result(), reply)
    assert len(model.requests) == 1


def test_an_error_is_found_again_after_a_cut(resuming: Client, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), error_after=1))
    seen = resuming.play(["send", "Hello"], options=AT_ONCE, cuts=[{"after": 2, "how": "error"}])
    assert (seen.status, seen.answer) == ("error", "Hel")
    assert seen.error == seen.chunks[-1]["message"]
    assert len(seen.requests) == 2


@answers
def test_a_finished_run_is_joined_from_its_start(resuming: Client, model: Model, reply: Reply) -> None:
    model.reply(reply)
    seen = resuming.play(["send", "Hello"], ["join"], ["settle"])
    assert seen.joined == seen.chunks
    run = seen.requests[0]["headers"]["x-run-id"]
    assert seen.requests[1]["method"] == "GET"
    assert seen.requests[1]["url"] == f"{resuming.url}?offset=-1&runId={run}"
    assert len(model.requests) == 1


def test_a_run_under_way_is_joined_by_a_second_reader(resuming: Client, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), hold=True))
    playing = resuming.begin(
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


def test_a_join_that_breaks_goes_on_where_it_was(resuming: Client, model: Model) -> None:
    model.say("Hello")
    seen = resuming.play(
        ["send", "Hello"], ["join"], ["settle"], options=AT_ONCE, cuts=[None, {"after": 2, "how": "error"}]
    )
    assert seen.joined == seen.chunks
    assert [request["method"] for request in seen.requests] == ["POST", "GET", "GET"]


def test_the_same_run_posted_twice_asks_the_model_once(resuming: Client, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), hold=True))
    playing = resuming.begin(
        ["start", "Hello"], ["untilText", "Hel"], ["repeat"], ["tell", "repeated"], ["settle"], ["repeat"], ["settle"]
    )
    asked = model.received()
    asked.step()
    playing.wait("repeated")
    asked.release()
    first, *again = [request["received"] for request in playing.result().requests]
    assert again == [first, first]
    assert len(model.requests) == 1
