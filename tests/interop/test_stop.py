"""Stop: for the person at once, for the model by the grace period or the cancel route."""

from tokenwire.testing import Reply

from .client import Client
from .model import Model

LONG = Reply(text=("Hel", "lo", " and", " on", " and", " on"), hold=True)


def test_stop_keeps_the_text_and_frees_the_model_when_nobody_comes_back(client: Client, model: Model) -> None:
    model.reply(LONG)
    playing = client.begin(["start", "Hello"], ["untilText", "Hel"], ["stop"], ["settle"])
    asked = model.received()
    asked.step()
    seen = playing.result()
    assert (seen.status, seen.loading, seen.error) == ("ready", False, None)
    assert seen.answer == "Hel"
    asked.wait_closed()


def test_a_turn_after_stop_works(client: Client, model: Model) -> None:
    model.reply(LONG, Reply(text=("Hi",)))
    playing = client.begin(["start", "Hello"], ["untilText", "Hel"], ["stop"], ["settle"], ["send", "Go on"])
    model.received().step()
    seen = playing.result()
    assert (seen.status, seen.answer) == ("ready", "Hi")
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hel"},
        {"role": "user", "content": "Go on"},
    ]


def test_the_cancel_route_ends_the_run_for_model_and_person(client: Client, model: Model) -> None:
    model.reply(LONG)
    cancel = ["cancel", f"{client.base}/api/chat"]
    playing = client.begin(["start", "Hello"], ["untilText", "Hel"], cancel, ["settle"])
    asked = model.received()
    asked.step()
    asked.wait_closed()
    seen = playing.result()
    assert (seen.status, seen.error) == ("ready", None)
    assert seen.answer == "Hel"
    assert (seen.chunks[-1]["type"], seen.chunks[-1]["finishReason"]) == ("RUN_FINISHED", "stop")
    assert seen.requests[-1]["status"] in (200, 202, 204)
