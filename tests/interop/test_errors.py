"""Failures as each client shows them, and that the chat goes on after them."""

import pytest

from tokenwire.testing import Reply

from .client import Client, text_of
from .model import Model


@pytest.mark.parametrize(
    ("refused", "shown"),
    [(429, "429 Too Many Requests"), (500, "502 Bad Gateway"), (401, "502 Bad Gateway"), (503, "502 Bad Gateway")],
)
def test_a_refusal_before_the_first_byte_is_an_http_error(
    client: Client, model: Model, refused: int, shown: str
) -> None:
    model.reply(Reply(status=refused), Reply(text=("Hi",)))
    seen = client.play(["send", "Hello"], ["send", "Again"])
    assert seen.called("onError") == [[f"HTTP error! status: {shown}"]]
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Hi")
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": "Again"},
    ]


def test_a_refusal_is_what_the_person_sees(client: Client, model: Model) -> None:
    model.reply(Reply(status=429))
    seen = client.play(["send", "Hello"])
    assert (seen.status, seen.loading) == ("error", False)
    assert seen.error == "HTTP error! status: 429 Too Many Requests"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Reply(text=("Hel", "lo", "!"), error_after=2), id="an error in the stream"),
        pytest.param(Reply(text=("Hel", "lo"), finish_reason=None, done=False), id="an answer that breaks off"),
    ],
)
def test_an_error_in_mid_answer_is_shown_and_the_text_stays(client: Client, model: Model, broken: Reply) -> None:
    model.reply(broken)
    seen = client.play(["send", "Hello"])
    assert (seen.status, seen.loading, seen.answer) == ("error", False, "Hello")
    assert seen.error is not None
    assert seen.called("onError") == [[seen.error]]
    assert seen.called("onFinish") == []
    assert seen.chunks[-1]["type"] == "RUN_ERROR"
    assert seen.error == seen.chunks[-1]["message"]


def test_a_turn_after_an_error_works_and_remembers_the_partial_text(client: Client, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo", "!"), error_after=2), Reply(text=("Hi",)))
    seen = client.play(["send", "Hello"], ["send", "Go on"])
    assert (seen.status, seen.error, seen.answer) == ("ready", None, "Hi")
    assert [text_of(message, "text") for message in seen.messages] == ["Hello", "Hello", "Go on", "Hi"]
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Go on"},
    ]


def test_an_upstream_error_says_nothing_of_the_upstream(client: Client, model: Model) -> None:
    secret = {"message": "key sk-secret of org-9 at 10.0.0.7 was revoked", "type": "invalid_request_error"}
    model.reply(Reply(text=("Hel", "lo"), error_after=1, error=secret), Reply(status=401, body={"error": secret}))
    seen = client.play(["send", "Hello"], ["send", "Again"])
    everything = "".join(request["received"] for request in seen.requests) + str(seen.calls)
    assert "sk-secret" not in everything
    assert "10.0.0.7" not in everything


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        pytest.param({"temperature": "hot"}, "422", id="an option of the wrong type"),
        pytest.param({"persona": "nobody"}, "400", id="a choice that is not offered"),
    ],
)
def test_bad_input_is_refused_without_asking_the_model(
    client: Client, model: Model, options: dict[str, object], shown: str
) -> None:
    seen = client.play(["send", "Hello", options])
    assert seen.status == "error"
    assert seen.error is not None
    assert seen.error.startswith(f"HTTP error! status: {shown} ")
    assert model.requests == []
