"""Options from the adapter, the client and the message: which one wins, and what becomes of them."""

import pytest

from .client import Client, Json
from .model import Model

COLD, WARM, HOT = {"temperature": 0.1}, {"temperature": 0.5}, {"temperature": 0.9}


@pytest.mark.parametrize(
    ("adapter", "chat", "message", "temperature"),
    [
        pytest.param(COLD, {}, {}, 0.1, id="the adapter's body"),
        pytest.param(COLD, WARM, {}, 0.5, id="the client's over it"),
        pytest.param(COLD, WARM, HOT, 0.9, id="the message's over all"),
    ],
)
def test_the_more_special_option_wins(
    client: Client, model: Model, adapter: Json, chat: Json, message: Json, temperature: float
) -> None:
    model.say("Hi")
    client.play(["send", "Hello", message], options={"body": adapter}, client={"body": chat})
    (asked,) = model.requests
    assert asked.body["temperature"] == temperature


def test_forwarded_props_win_over_the_body(resuming: Client, model: Model) -> None:
    model.say("Hi")
    resuming.play(["send", "Hello"], client={"body": COLD, "forwardedProps": WARM})
    (asked,) = model.requests
    assert asked.body["temperature"] == 0.5


def test_a_persona_brings_its_prompt_and_its_model(client: Client, model: Model) -> None:
    model.say("Hi")
    seen = client.play(["send", "Hello", {"persona": "support-agent"}])
    assert seen.answer == "Hi"
    (asked,) = model.requests
    assert asked.body["messages"][0] == {"role": "system", "content": "You help people."}
    assert asked.body["messages"][1:] == [{"role": "user", "content": "Hello"}]


def test_what_the_server_does_not_know_stays_here(client: Client, model: Model) -> None:
    model.say("Hi")
    client.play(["send", "Hello", {"conversationId": "c", "api_key": "sk-mine", "base_url": "http://example.org"}])
    (asked,) = model.requests
    assert "sk-mine" not in str(asked.body) + str(asked.headers)
    assert not {"conversationId", "api_key", "base_url", "data", "forwardedProps"} & asked.body.keys()
