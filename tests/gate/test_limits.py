"""What a request may be at most."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.config.limits import Limits
from tokenwire.errors import Code, Refusal
from tokenwire.gate.json_depth import is_deeper
from tokenwire.gate.limits import check_body, check_conversation, check_tools
from tokenwire.messages import Media, Message, Reasoning, Text, ToolCall, message

JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.booleans())
def test_depth_is_that_of_the_decoded_value(value: Any, escaped: bool) -> None:
    body = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert not is_deeper(body, depth(value))
    assert depth(value) == 0 or is_deeper(body, depth(value) - 1)


@given(st.text(alphabet='[]{}"\\,:a'))
def test_what_is_no_json_is_looked_at_without_harm(text: str) -> None:
    is_deeper(text.encode(), 2)


@pytest.mark.parametrize("hostile", [b"[" * 500_000, b'["' + b'\\"' * 500_000, b'{"a":' * 300_000, b"[]" * 500_000])
def test_a_hostile_body_is_gone_through_once(hostile: bytes) -> None:
    is_deeper(hostile, 64)  # a second time for each bracket or quote would take hours


def test_brackets_are_too_many_long_before_they_cost_time() -> None:
    assert not is_deeper(b"[" + b"[]," * 90_000 + b"0]", 64)
    assert is_deeper(b"[" + b"[]," * 100_000 + b"0]", 64)


def test_a_body_that_is_too_deep_is_refused() -> None:
    limits = Limits(depth=3)
    check_body(b'{"a":[{"b":"[[[["}]}', limits)
    with pytest.raises(Refusal, match="more than 3 levels") as refused:
        check_body(b'{"a":[{"b":[]}]}', limits)
    assert refused.value.code is Code.bad_json


@pytest.mark.parametrize("fits", [b"null", b"[]", b'[{"name":"a"},1]', b'{"not":"a list"}'])
def test_tools_within_limits(fits: bytes) -> None:
    check_tools(fits, Limits(tools=2, tool_bytes=20))


@pytest.mark.parametrize(
    ("beyond", "reason"),
    [
        (b"[1,2,3]", "The request has more than 2 tools."),
        (b'[{"name":"aaaaaaaaaa"}]', "The request's tools are larger than 20 bytes."),
    ],
)
def test_tools_beyond_them(beyond: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_tools(beyond, Limits(tools=2, tool_bytes=20))
    assert (refused.value.code, refused.value.message) == (Code.too_many_tools, reason)


TWO = (Text("ab"), Text("cd"))
LIMITS = Limits(characters=10, message_characters=6, parts=2)


@pytest.mark.parametrize(
    "fits",
    [
        [message("user", "abcdef")],
        [message("user", "abcdef"), message("user", "abcd")],
        [Message("user", TWO)],
        [Message("user", (Media("image", data="A" * 100),))],
    ],
)
def test_a_conversation_within_limits(fits: list[Message]) -> None:
    check_conversation(fits, LIMITS)


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        ([message("user", "abcdefg")], "A message has more than 6 characters."),
        ([message("user", "abcdef"), message("user", "abcde")], "The conversation has more than 10 characters."),
        ([Message("user", (*TWO, Text("e")))], "A message has more than 2 parts."),
        ([Message("assistant", (Reasoning("abcdefg", "s"),))], "A message has more than 6 characters."),
        ([Message("assistant", (), (ToolCall("1", "f", '{"a":1}'),))], "A message has more than 6 characters."),
        ([Message("assistant", (Text("a"),), (ToolCall("1", "f", "1"),) * 2)], "A message has more than 2 parts."),
    ],
)
def test_a_conversation_beyond_them(conversation: list[Message], reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_conversation(conversation, LIMITS)
    assert (refused.value.code, refused.value.status) == (Code.conversation_too_long, 413)
    assert refused.value.message == reason
