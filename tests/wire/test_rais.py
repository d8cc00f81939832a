"""RAIS v1: ``text* (done | error)`` and nothing else (docs/wires/rais.md)."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from tokenwire import events
from tokenwire.errors import Code, Failure, Refusal
from tokenwire.messages import message
from tokenwire.wire.rais import RAIS, translate
from tokenwire.wire.request import ChatRequest, Options, decode_envelope

from .logs import logs


def parse(body: dict[str, Any], max_messages: int = 10) -> ChatRequest:
    return RAIS.parse(decode_envelope(json.dumps(body).encode()), max_messages=max_messages)


def test_a_request_is_messages_and_wishes() -> None:
    body = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "Hello?"},
        ],
        "persona": "pirate",
        "temperature": 0.7,
        "model": "smart",
        "provider": "groq",
        "max_tokens": 50,
        "sessionId": "s1",
        "stream": True,
    }
    assert parse(body) == ChatRequest(
        messages=(message("system", "Be brief."), message("user", "Hello"), message("user", "Hello?")),
        options=Options("pirate", "smart", "groq", 0.7, 50),
    )


def test_the_ids_of_other_clients_are_not_its_own() -> None:
    request = parse({"messages": [{"role": "user", "content": "Hello"}], "threadId": "t", "runId": "r"})
    assert (request.thread_id, request.run_id) == (None, None)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([], Code.bad_request),
        ([{"role": "user", "content": ""}], Code.bad_request),
        ([{"role": "robot", "content": "hi"}], Code.bad_request),
        ([{"role": "user", "content": "hi"}] * 11, Code.too_many_messages),
    ],
)
def test_what_is_no_conversation_is_refused(messages: list[Any], code: Code) -> None:
    with pytest.raises(Refusal) as refused:
        parse({"messages": messages})
    assert refused.value.code is code


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (events.RunStarted("t", "r"), None),
        (events.ReasoningStart("m"), None),
        (events.ReasoningMessageStart("m", "reasoning"), None),
        (events.ReasoningMessageContent("m", "hm"), None),
        (events.ReasoningMessageEnd("m"), None),
        (events.ReasoningEnd("m"), None),
        (events.ReasoningEncryptedValue("message", "m", "anthropic:abc"), None),
        (events.ToolCallStart("c", "clock", "m"), None),
        (events.ToolCallArgs("c", '{"a":"TEXT_MESSAGE_CONTENT","delta":"b"}'), None),
        (events.ToolCallEnd("c"), None),
        (events.ToolCallResult("r", "c", "noon"), None),
        (events.Custom("mine", {"a": 1}), None),
        (events.TextMessageStart("m", "assistant"), None),
        (events.TextMessageContent("m", "Hi"), '{"type":"text","text":"Hi"}'),
        (events.TextMessageContent('m","delta":"x', 'a","delta":"b'), '{"type":"text","text":"a\\",\\"delta\\":\\"b"}'),
        (events.TextMessageEnd("m"), None),
        (events.RunFinished("t", "r", "stop", "m", events.Usage(1)), '{"type":"done"}'),
        (events.RunFinished("t", "r", "length"), '{"type":"done"}'),
        (events.RunFinished("t", "r", "cancelled"), '{"type":"done"}'),
        (
            events.RunFinished("t", "r", "tool_calls"),
            '{"type":"error","error":"The model asked for a tool that cannot be run here."}',
        ),
        (events.RunError('No "luck"\n', "internal", "t", "r"), '{"type":"error","error":"No \\"luck\\"\\n"}'),
    ],
)
def test_each_event_has_one_word_or_none(event: events.Event, told: str | None) -> None:
    assert list(translate(events.encode(event))) == ([told.encode()] if told is not None else [])


@settings(deadline=None)
@given(logs())
def test_it_never_says_anything_but_text_done_and_error(log: list[bytes]) -> None:
    said = [json.loads(event) for payload in log for event in translate(payload)]
    assert {frozenset(event.items() if event["type"] == "done" else event) for event in said} <= {
        frozenset({"type", "text"}),
        frozenset({"type", "error"}),
        frozenset({("type", "done")}),
    }


def test_a_refusal_is_text_that_the_hook_shows_as_it_is() -> None:
    failure = Failure(Code.upstream_auth, detail="HTTP 401: invalid key sk-secret")
    assert RAIS.refusal(failure) == ("text/plain; charset=utf-8", b"The server's access to the model was refused.")
