"""From the rows of any client to a conversation that a provider accepts (docs/wires/tanstack.md 1.4 to 1.6)."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenwire.errors import Code, Refusal
from tokenwire.messages import Media, Message, Reasoning, Text
from tokenwire.wire.history import conversation
from tokenwire.wire.request import decode_envelope

from .conversations import CASES
from .rows import (
    APPROVED,
    DENIED,
    HELLO,
    HI,
    LOST,
    URL,
    Row,
    answer,
    asks,
    call,
    called,
    media,
    rendered,
    result,
    said,
    told,
    user,
)


def read(rows: Sequence[Row]) -> list[Message]:
    """The conversation of rows that came in a request's body."""
    return list(conversation(decode_envelope(json.dumps({"messages": rows}).encode()).messages or ()))


@pytest.mark.parametrize(
    ("rows", "messages"), [pytest.param(rows, messages, id=name) for name, rows, messages in CASES]
)
def test_rows_become_a_conversation(rows: list[Row], messages: list[Message]) -> None:
    assert read(rows) == messages
    assert_sendable(messages)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([HI, {"role": "robot", "content": "hi"}], "$.messages[1].role"),
        ([{"content": "hi"}], "$.messages[0].role"),
        ([{"role": "", "content": "hi"}], "$.messages[0].role"),
        ([{"role": "User", "content": "hi"}], "$.messages[0].role"),
    ],
)
def test_an_unknown_role_is_refused_with_its_place(rows: list[Row], place: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(rows)
    assert refused.value.code is Code.bad_request
    assert place in refused.value.message


@pytest.mark.parametrize(
    "rows", [[user("")], [asks()], [rendered()], [answer("c1")], [{"role": "reasoning", "content": "hm"}]]
)
def test_nothing_to_say_is_refused(rows: list[Row]) -> None:
    with pytest.raises(Refusal) as refused:
        read(rows)
    assert refused.value.code is Code.bad_request


SAME_CALL_TWICE = [asks(call("c1"), call("c1")), answer("c1")]
NO_JSON = [asks(call("c1", '{"a":NaN}')), answer("c1")]
ODD_CALL_ID = [HI, rendered(result(["c1"]))]
ODD_KIND = [HI, user([{"type": ["text"]}])]
ODD_SOURCE = [HI, user([media("image", {"type": "base64", "value": "AA=="})])]
HALF_OBJECT = [HI, rendered({"type": "structured-output", "status": "streaming", "raw": '{"a":'})]


def test_a_call_that_stands_twice_in_one_row_is_one() -> None:
    assert read(SAME_CALL_TWICE) == [said("", called("c1")), told("c1")]


@pytest.mark.parametrize("arguments", ["NaN", '{"a":NaN}', '{"a":-Infinity}'])
def test_arguments_that_only_python_calls_json_are_none(arguments: str) -> None:
    assert read([asks(call("c1", arguments)), answer("c1")]) == [said("", called("c1")), told("c1", LOST)]


@pytest.mark.parametrize("rows", [ODD_CALL_ID, ODD_KIND, [HI, rendered({"type": {}}, role="user")]])
def test_an_odd_type_in_a_part_is_a_part_to_leave_out(rows: list[Row]) -> None:
    assert read(rows) == [HELLO]


@pytest.mark.parametrize("source", [{"type": "base64", "value": "AA=="}, {"value": URL}, {"type": [], "value": URL}])
def test_media_of_an_unknown_source_are_left_out(source: Row) -> None:
    assert read([HI, user([media("image", source)])]) == [HELLO]


@pytest.mark.parametrize("status", ["streaming", "error"])
def test_structured_output_counts_when_it_is_complete(status: str) -> None:
    assert read([HI, rendered({"type": "structured-output", "status": status, "raw": '{"a":'})]) == [HELLO]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=4,
)
IDS = st.sampled_from(["c1", "c2", "c3", ""])
ARGUMENTS = st.sampled_from(['{"a":1}', "{}", "", " ", '{"a', "NaN", '{"a":Infinity}', "1" * 5000, "[" * 5000, "null"])
CONTENTS = st.sampled_from(["", " ", "a", APPROVED, DENIED, '{"approved":true}'])
SOURCES = st.fixed_dictionaries({}, optional={"type": st.sampled_from(["url", "data", "x"]) | JSON, "value": CONTENTS})
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["text", "image", "audio", "video", "document", "thinking", "tool-call", "tool-result", "structured-output"]
        )
        | JSON,
        "content": CONTENTS | JSON,
        "text": CONTENTS | JSON,
        "id": IDS | JSON,
        "toolCallId": IDS | JSON,
        "name": st.sampled_from(["f", ""]) | JSON,
        "arguments": ARGUMENTS | JSON,
        "output": JSON,
        "error": JSON,
        "raw": CONTENTS | JSON,
        "status": st.sampled_from(["complete", "streaming"]) | JSON,
        "source": SOURCES | JSON,
        "metadata": JSON | st.fixed_dictionaries({"thoughtSignature": CONTENTS | JSON}),
        "signature": CONTENTS | JSON,
    },
)
FUNCTIONS = st.fixed_dictionaries(
    {}, optional={"name": st.sampled_from(["f", ""]) | JSON, "arguments": ARGUMENTS | JSON}
)
CALL_ROWS = st.fixed_dictionaries(
    {}, optional={"id": IDS | JSON, "function": FUNCTIONS | JSON, "encryptedValue": CONTENTS | JSON}
)
ROWS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "developer", "reasoning"])},
    optional={
        "content": st.none() | CONTENTS | st.lists(PARTS | JSON, max_size=3),
        "parts": st.none() | st.lists(PARTS, max_size=5),
        "toolCalls": st.none() | st.lists(CALL_ROWS, max_size=3),
        "toolCallId": st.none() | IDS,
        "error": JSON,
        "encryptedValue": CONTENTS | JSON,
    },
)


def assert_sendable(messages: Sequence[Message]) -> None:
    """What providers ask of a conversation: nothing empty, every call answered once and directly, arguments JSON."""
    assert messages
    waiting: list[str] = []
    asked: set[str] = set()
    for turn in messages:
        assert turn.content or turn.tool_calls
        thoughts = [part for part in turn.content if isinstance(part, Reasoning)]
        assert turn.role == "assistant" or not thoughts
        assert turn.content[: len(thoughts)] == tuple(thoughts)
        assert all(thought.signature for thought in thoughts)
        assert turn.tool_calls or len(thoughts) < len(turn.content)
        assert all(part.text or turn.role == "tool" for part in turn.content if isinstance(part, Text))
        assert all((part.url is None) != (part.data is None) for part in turn.content if isinstance(part, Media))
        assert (turn.tool_call_id is not None) == (turn.role == "tool")
        if turn.role == "tool":
            assert turn.tool_call_id == waiting.pop(0)
            continue
        assert waiting == []
        assert turn.role == "assistant" or not turn.tool_calls
        for asks_for in turn.tool_calls:
            assert asks_for.id
            assert asks_for.id not in asked
            asked.add(asks_for.id)
            waiting.append(asks_for.id)
            assert asks_for.name
            assert asks_for.signature is None or asks_for.signature
            json.loads(asks_for.arguments, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert waiting == []


@settings(deadline=None, max_examples=200)
@given(st.lists(ROWS, min_size=1, max_size=6))
@example(SAME_CALL_TWICE)
@example(NO_JSON)
@example(ODD_CALL_ID)
@example(ODD_KIND)
@example(ODD_SOURCE)
def test_any_rows_are_refused_or_become_what_a_provider_accepts(rows: list[Row]) -> None:
    try:
        messages = read(rows)
    except Refusal:
        return
    assert_sendable(messages)


@pytest.mark.parametrize("deep", ["output", "content", "error"])
def test_deep_nesting_is_nothing_worse_than_too_deep(deep: str) -> None:
    for depth in (100, 900, 950, 990, 2000):
        part = '{"type":"tool-call","id":"c1","name":"f","output":' + "[" * depth + "]" * depth + "}"
        body = '{"messages":[{"role":"assistant","parts":[' + part.replace("output", deep) + "]}]}"
        try:
            messages = conversation(decode_envelope(body.encode()).messages or ())
        except (Refusal, RecursionError):
            # the server answers a RecursionError as it does the Refusal
            continue
        assert_sendable(messages)
