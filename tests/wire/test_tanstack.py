"""TanStack AI's two dialects (docs/wires/tanstack.md)."""

import json
from typing import Any

import pytest

from tokenwire import events
from tokenwire.errors import Code, Failure, Refusal
from tokenwire.messages import message
from tokenwire.wire.base import Wire
from tokenwire.wire.request import ChatRequest, Options, decode_envelope
from tokenwire.wire.tanstack import TANSTACK, TANSTACK_LEGACY

HI = {"id": "m1", "role": "user", "content": "hi"}
RENDERED = {"id": "m1", "role": "user", "parts": [{"type": "text", "content": "hi"}], "createdAt": "2026-11-21"}

both = pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_LEGACY], ids=["new", "legacy"])


def parse(wire: Wire, body: dict[str, Any], max_messages: int = 10) -> ChatRequest:
    return wire.parse(decode_envelope(json.dumps(body).encode()), max_messages=max_messages)


def told(wire: Wire, *happened: events.Event) -> list[Any]:
    """What one response says."""
    translate = wire.translator(0)
    return [json.loads(said) for event in happened for said in translate(events.encode(event))]


def test_the_newest_request() -> None:
    body = {
        "threadId": "thread-1",
        "runId": "run-1",
        "state": {},
        "messages": [HI],
        "tools": [{"name": "f", "description": "", "parameters": {"type": "object"}}],
        "context": [],
        "forwardedProps": {"model": "smart"},
        "data": {"model": "smart"},
    }
    assert parse(TANSTACK, body) == ChatRequest(
        messages=(message("user", "hi"),), options=Options(model="smart"), thread_id="thread-1", run_id="run-1"
    )


def test_the_legacy_request() -> None:
    body = {
        "messages": [RENDERED],
        "data": {"model": "from-sendMessage", "temperature": 1, "conversationId": "chat-1795-x59"},
        "provider": "from-adapter-body",
        "model": "from-adapter-body",
    }
    assert parse(TANSTACK_LEGACY, body) == ChatRequest(
        messages=(message("user", "hi"),),
        options=Options(model="from-sendMessage", provider="from-adapter-body", temperature=1.0),
    )


@both
def test_what_is_forwarded_wins_over_data_and_data_over_what_stands_beside(wire: Wire) -> None:
    body = {
        "messages": [HI],
        "runId": "r",
        "model": "a",
        "persona": "a",
        "provider": "a",
        "data": {"model": "b", "persona": "b"},
        "forwardedProps": {"model": "c"},
    }
    assert parse(wire, body).options == Options(model="c", persona="b", provider="a")


@pytest.mark.parametrize("name", ["threadId", "runId"])
def test_an_id_that_cannot_be_carried_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match=name):
        parse(TANSTACK, {"messages": [HI], "runId": "r", name: "a\nb"})


def test_a_run_without_a_thread_is_accepted() -> None:
    request = parse(TANSTACK, {"messages": [RENDERED], "runId": "r"})
    assert (request.thread_id, request.run_id) == (None, "r")


@both
def test_more_messages_than_the_limit_are_refused(wire: Wire) -> None:
    with pytest.raises(Refusal) as refused:
        parse(wire, {"messages": [HI] * 11})
    assert refused.value.code is Code.too_many_messages


@both
@pytest.mark.parametrize(
    "event",
    [
        events.RunStarted("t", "r"),
        events.TextMessageStart("m", "assistant"),
        events.TextMessageContent("m", "Hi"),
        events.TextMessageEnd("m"),
        events.ReasoningEncryptedValue("message", "s", "anthropic:abc"),
        events.ReasoningEncryptedValue("tool-call", "c", "gemini:abc"),
        events.ToolCallArgs("c", '{"a":'),
        events.ToolCallEnd("c"),
        events.Custom("mine", {"a": [1, None]}),
        events.Custom("mine", None),
        events.RunFinished("t", "r", "length", "smart", events.Usage(1, 2, 3, cache_write_tokens=1)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_both_understand_is_sent_as_it_was_logged(wire: Wire, event: events.Event) -> None:
    translate = wire.translator(0)
    translate(events.encode(events.TextMessageContent("m", "Hi")))
    assert list(translate(events.encode(event))) == [events.encode(event)]


@both
def test_an_error_has_its_text_where_either_generation_looks(wire: Wire) -> None:
    (event,) = told(wire, events.RunError("No luck.", "internal", "t", "r"))
    assert event == {
        "type": "RUN_ERROR",
        "message": "No luck.",
        "code": "internal",
        "threadId": "t",
        "runId": "r",
        "error": {"message": "No luck.", "code": "internal"},
    }


@both
@pytest.mark.parametrize("reason", ["cancelled", "tool_calls"])
def test_what_nobody_goes_on_from_says_stop_and_nothing_else_differs(wire: Wire, reason: events.FinishReason) -> None:
    *_, event = told(wire, CALLED, events.RunFinished("t", "r", reason, "smart"))
    assert event == {"type": "RUN_FINISHED", "threadId": "t", "runId": "r", "finishReason": "stop", "model": "smart"}


CALLED = events.ToolCallStart("c", "clock", "m")


@both
def test_a_call_has_its_name_where_either_generation_looks(wire: Wire) -> None:
    assert told(wire, CALLED) == [
        {
            "type": "TOOL_CALL_START",
            "toolCallId": "c",
            "toolCallName": "clock",
            "toolName": "clock",
            "parentMessageId": "m",
        }
    ]


def test_a_result_ends_the_call_once_more_for_legacy() -> None:
    result = {"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c", "content": '{"a":1}'}
    again = {"type": "TOOL_CALL_END", "toolCallId": "c", "toolName": "clock", "result": '{"a":1}'}
    happened: list[events.Event] = [CALLED, events.ToolCallEnd("c"), events.ToolCallResult("r", "c", '{"a":1}')]
    assert told(TANSTACK, *happened)[2:] == [result]
    assert told(TANSTACK_LEGACY, *happened)[2:] == [result, again]


def reasoning() -> list[events.Event]:
    return [
        events.ReasoningStart("s"),
        events.ReasoningMessageStart("s", "reasoning"),
        events.ReasoningMessageContent("s", "h"),
        events.ReasoningMessageContent("s", "m"),
        events.ReasoningMessageEnd("s"),
        events.ReasoningEnd("s"),
    ]


def test_reasoning_for_the_newest_is_a_step_of_its_own() -> None:
    started, begun, *deltas, ended, over = told(TANSTACK, *reasoning())
    assert started == {"type": "STEP_STARTED", "stepId": "s", "stepName": "s"}
    assert begun == {"type": "REASONING_MESSAGE_START", "messageId": "s", "role": "reasoning"}
    assert deltas == [{"type": "REASONING_MESSAGE_CONTENT", "messageId": "s", "delta": delta} for delta in "hm"]
    assert ended == {"type": "REASONING_MESSAGE_END", "messageId": "s"}
    assert over == {"type": "REASONING_END", "messageId": "s"}


def test_reasoning_for_legacy_is_told_in_the_words_of_both() -> None:
    started, begun, *deltas, ended, over = told(TANSTACK_LEGACY, *reasoning())
    assert started == {"type": "STEP_STARTED", "stepId": "s", "stepName": "s"}
    assert begun == {"type": "REASONING_MESSAGE_START", "messageId": "s", "role": "reasoning"}
    assert deltas == [
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "s", "delta": "h"},
        {"type": "STEP_FINISHED", "stepId": "s", "stepName": "s", "delta": "h"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "s", "delta": "m"},
        {"type": "STEP_FINISHED", "stepId": "s", "stepName": "s", "delta": "m"},
    ]
    assert ended == {"type": "REASONING_MESSAGE_END", "messageId": "s"}
    assert over == {"type": "REASONING_END", "messageId": "s"}


FINISHED = events.RunFinished("t", "r", "stop")


@pytest.mark.parametrize(
    ("answer", "terminal"),
    [
        ([], "RUN_ERROR"),
        ([events.TextMessageContent("m", " \n")], "RUN_ERROR"),
        ([events.TextMessageContent("m", " "), events.TextMessageContent("m", "\t")], "RUN_ERROR"),
        ([events.TextMessageContent("m", " "), events.TextMessageContent("m", ".")], "RUN_FINISHED"),
        ([events.TextMessageContent("m", "."), events.TextMessageContent("m", " ")], "RUN_FINISHED"),
        ([events.ReasoningMessageContent("s", "hm")], "RUN_FINISHED"),
        ([events.ReasoningEncryptedValue("message", "s", "anthropic:abc")], "RUN_ERROR"),
        ([CALLED, events.ToolCallEnd("c")], "RUN_FINISHED"),
    ],
)
def test_an_answer_that_shows_nothing_is_an_error_to_legacy(answer: list[events.Event], terminal: str) -> None:
    *_, last = told(TANSTACK_LEGACY, events.RunStarted("t", "r"), *answer, FINISHED)
    assert last["type"] == terminal
    assert last.get("code") == ("empty_answer" if terminal == "RUN_ERROR" else None)
    *_, last = told(TANSTACK, events.RunStarted("t", "r"), *answer, FINISHED)
    assert last["type"] == "RUN_FINISHED"


def test_responses_do_not_share_what_was_seen() -> None:
    told(TANSTACK_LEGACY, events.TextMessageContent("m", "seen by another"))
    (last,) = told(TANSTACK_LEGACY, FINISHED)
    assert last["type"] == "RUN_ERROR"


def test_what_a_resumed_answer_showed_before_is_not_called_nothing() -> None:
    said = TANSTACK_LEGACY.translator(3)(events.encode(FINISHED))
    assert [json.loads(event)["type"] for event in said] == ["RUN_FINISHED"]


@both
def test_a_refusal_is_json_with_code_and_message(wire: Wire) -> None:
    content_type, body = wire.refusal(Failure(Code.overloaded, 'Try "later".', detail="secret"))
    assert content_type == "application/json"
    assert json.loads(body) == {"error": {"code": "overloaded", "message": 'Try "later".'}}
