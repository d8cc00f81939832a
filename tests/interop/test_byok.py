"""The newest client's own keys: one that it has is used, and one that it lacks is asked for."""

from .client import Client
from .model import Model

KEY = "gsk-theirs-7c1b"
THEIRS = {"model": "theirs"}


def test_a_key_that_is_there_is_used(resuming: Client, model: Model) -> None:
    model.say("Hi")
    seen = resuming.play(["bringKey", KEY], ["send", "Hello", THEIRS], byok="groq")
    (asked,) = model.requests
    assert (asked.body["model"], asked.headers["authorization"]) == ("upstream-of-theirs", f"Bearer {KEY}")
    assert (seen.answer, seen.error, seen.prompt) == ("Hi", None, None)
    assert seen.requests[0]["headers"]["x-byok-groq"] == KEY
    assert KEY not in str(asked.body) + seen.requests[0]["received"] + str(seen.requests[0]["responseHeaders"])


def test_a_key_that_is_missing_is_asked_for(resuming: Client, model: Model) -> None:
    seen = resuming.play(["sendInVain", "Hello", THEIRS], byok="groq")
    assert (seen.requests[0]["status"], model.requests) == (401, [])
    assert seen.called("rejected") == [["ByokMissingError", "groq"]]
    assert (seen.status, seen.error) == ("error", "Missing groq API key")
    assert seen.prompt == {"provider": "groq", "reason": "missing"}


def test_a_key_that_is_brought_when_it_was_asked_for_is_used(resuming: Client, model: Model) -> None:
    model.say("Hi")
    steps = ["sendInVain", "Hello", THEIRS], ["bringKey", KEY], ["send", "Again", THEIRS]
    seen = resuming.play(*steps, byok="groq")
    (asked,) = model.requests
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert (seen.status, seen.answer, seen.prompt) == ("ready", "Hi", None)


def test_a_key_goes_to_no_other_provider(resuming: Client, model: Model) -> None:
    model.say("Hi")
    resuming.play(["bringKey", KEY], ["send", "Hello", {"model": "small"}], byok="groq")
    (asked,) = model.requests
    assert KEY not in str(asked.headers) + str(asked.body)
