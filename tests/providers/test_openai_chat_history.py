"""A conversation as chat completions take it, and what of it some providers want otherwise."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.messages import Media, Message, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import PLAIN, Prompt, Quirks, Target, sealed
from tokenwire.providers.openai_chat import OpenAIChat
from tokenwire.providers.openai_chat_history import REASONING, rows
from tokenwire.providers.presets import PRESETS

CALL = ToolCall("call_1", "f", "{}")
RESULT = Message("tool", (Text("42"),), tool_call_id="call_1")
DEEPSEEK = PRESETS["deepseek"].quirks
MISTRAL = PRESETS["mistral"].quirks


def thought(text: str, signature: str = REASONING) -> Reasoning:
    return Reasoning(text, signature)


def test_an_assistant_that_says_two_things_in_a_row_says_one() -> None:
    said = (message("assistant", "I look."), Message("assistant", (thought("Hm."),), (CALL,)), RESULT)
    assert rows((message("user", "hi"), *said)) == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "content": "42", "tool_call_id": "call_1"},
    ]
    interrupted = (message("assistant", "Hel"), message("assistant", "lo"))
    assert rows(interrupted) == [{"role": "assistant", "content": "Hello"}]
    pictured = (message("assistant", "See:"), Message("assistant", (Media("image", url="https://x/a.png"),)))
    (row,) = rows(pictured)
    assert [part["type"] for part in row["content"]] == ["text", "image_url"]
    assert len(rows((message("user", "a"), message("user", "b")))) == 2


@given(
    st.lists(
        st.sampled_from(
            [
                message("user", "u"),
                message("assistant", "a"),
                Message("assistant", (thought("t"),)),
                Message("assistant", (thought("t"), Text("b"))),
            ]
        )
    )
)
def test_no_two_rows_of_an_assistant_follow_each_other_and_no_word_is_lost(said: list[Message]) -> None:
    for quirks in (PLAIN, DEEPSEEK):
        built = rows(said, quirks)
        roles = "".join(row["role"][0] for row in built)
        assert "aa" not in roles
        assert "".join(row["content"] for row in built) == "".join(one.text for one in said)


def called(call_id: str, quirks: Quirks) -> str:
    result = Message("tool", (Text("42"),), tool_call_id=call_id)
    call, answer = rows((Message("assistant", (), (ToolCall(call_id, "f", "{}"),)), result), quirks)
    assert call["tool_calls"][0]["id"] == answer["tool_call_id"]
    return str(answer["tool_call_id"])


@given(st.text(min_size=1))
def test_ids_of_calls_have_the_form_that_a_provider_takes(call_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]{9}", called(call_id, MISTRAL))
    assert called(call_id, PLAIN) == call_id


def test_ids_that_have_that_form_are_left_alone_and_others_stay_different() -> None:
    assert called("D681PevKs", MISTRAL) == "D681PevKs"
    assert len({called(f"call_{number}", MISTRAL) for number in range(1000)}) == 1000
    assert called("²²²²²²²²²", MISTRAL) != "²²²²²²²²²"


def test_reasoning_goes_back_where_it_is_wanted() -> None:
    said = Message("assistant", (thought("First, "), thought("then."), Text("I look.")), (CALL,))
    (row,) = rows((said,), DEEPSEEK)
    assert (row["reasoning_content"], row["content"]) == ("First, then.", "I look.")
    assert "reasoning_content" not in rows((said,))[0]
    apart = (Message("assistant", (thought("A"), Text("x"))), Message("assistant", (thought("B"),), (CALL,)))
    assert rows(apart, DEEPSEEK)[0]["reasoning_content"] == "AB"


@pytest.mark.parametrize("signature", [sealed("anthropic", "reasoning_content"), sealed("openai-chat", "x"), "x"])
def test_what_another_model_thought_does_not(signature: str) -> None:
    thoughts = (thought("Not yours.", signature),)
    (row,) = rows((Message("assistant", (*thoughts, Text("Hi."))),), DEEPSEEK)
    assert "reasoning_content" not in row
    (row,) = rows((Message("assistant", thoughts, (CALL,)),), DEEPSEEK)
    assert row["reasoning_content"] == ""  # a call without the field is refused


def chunk(finish_reason: str | None = None, **delta: Any) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': finish_reason}]})}\n\n".encode()


@pytest.mark.parametrize(
    "spoken",
    [{"content": "Noon."}, {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}],
    ids=["text", "a call"],
)
def test_reasoning_that_is_wanted_back_is_signed_before_what_came_of_it(spoken: dict[str, Any]) -> None:
    body = chunk(reasoning_content="Hm") + chunk(reasoning_content=".") + chunk(**spoken) + chunk("stop")
    signed = events.ReasoningEncryptedValue("message", "m-reasoning", REASONING)
    for quirks in (DEEPSEEK, PLAIN):
        parser = OpenAIChat().parser("m", quirks)
        told = parser.feed(body) + parser.end()
        assert told.count(signed) == (1 if quirks is DEEPSEEK else 0)
        assert [type(event) for event in told].index(events.ReasoningEnd) < len(told) - 2


@pytest.mark.parametrize(
    ("effort", "sent"),
    [
        (None, {}),
        ("off", {"thinking": {"type": "disabled"}}),
        ("high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
    ],
)
def test_deepseek_has_a_switch_and_a_level(effort: Any, sent: dict[str, Any]) -> None:
    target = Target(name="n", provider="deepseek", model="m", base_url="http://x", quirks=DEEPSEEK, reasoning=effort)
    body = json.loads(OpenAIChat().build(target, Prompt(messages=(message("user", "hi"),))).body)
    assert {name: body[name] for name in ("thinking", "reasoning_effort") if name in body} == sent
