"""The lax reading of a request's body: whatever comes is a value or a refusal that names the place."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.errors import Code, Refusal
from tokenwire.wire.detect import detect
from tokenwire.wire.request import (
    MAX_ID,
    ChatRequest,
    Envelope,
    Options,
    Row,
    decode_envelope,
    read_id,
    read_options,
    read_rows,
    top_level,
)

T = TypeVar("T")

HI = {"role": "user", "content": "hi"}


def outcome_of(ask: Callable[[], T]) -> T | Refusal:
    try:
        return ask()
    except Refusal as refusal:
        return refusal


def refusal_of(ask: Callable[[], object]) -> Refusal:
    with pytest.raises(Refusal) as refused:
        ask()
    return refused.value


def test_an_envelope_holds_what_clients_send() -> None:
    body = {
        "threadId": "t",
        "runId": "r",
        "messages": [
            {
                "id": "m1",
                "role": "assistant",
                "content": "a",
                "parts": [{"type": "text"}],
                "toolCalls": [{"id": "c1"}],
                "toolCallId": "c0",
                "error": {"message": "no"},
            }
        ],
        "data": {"model": "a"},
        "forwardedProps": {"model": "b"},
        "persona": "p",
        "model": "m",
        "provider": "v",
        "temperature": 1,
        "maxTokens": 2,
        "max_tokens": 3,
        "state": {},
        "tools": [],
        "context": [],
        "stream": True,
    }
    row = Row("assistant", "a", [{"type": "text"}], [{"id": "c1"}], "c0", {"message": "no"})
    assert decode_envelope(json.dumps(body).encode()) == Envelope(
        [row], "t", "r", {"model": "a"}, {"model": "b"}, "p", "m", "v", 1, 2, 3, tools=msgspec.Raw(b"[]")
    )


def test_an_envelope_may_hold_nothing() -> None:
    assert decode_envelope(b"{}") == Envelope()
    assert decode_envelope(b'{"messages":null,"data":null,"runId":null}') == Envelope()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"[]", "`array`"),
        (b"null", "`null`"),
        (b'"hi"', "`str`"),
        (b"5", "`int`"),
        (b'{"messages":{}}', "$.messages`"),
        (b'{"messages":"hi"}', "$.messages`"),
        (b'{"messages":["hi"]}', "$.messages[0]`"),
        (b'{"messages":[{},null]}', "$.messages[1]`"),
        (b'{"messages":[{},{"role":5}]}', "$.messages[1].role`"),
        (b'{"messages":[{"content":5}]}', "$.messages[0].content`"),
        (b'{"messages":[{"content":{}}]}', "$.messages[0].content`"),
        (b'{"messages":[{"parts":{}}]}', "$.messages[0].parts`"),
        (b'{"messages":[{"parts":[{},"text"]}]}', "$.messages[0].parts[1]`"),
        (b'{"messages":[{"toolCalls":[5]}]}', "$.messages[0].toolCalls[0]`"),
        (b'{"messages":[{"toolCallId":5}]}', "$.messages[0].toolCallId`"),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(body: bytes, place: str) -> None:
    refusal = refusal_of(lambda: decode_envelope(body))
    assert refusal.code is Code.bad_request
    assert place in refusal.message


@pytest.mark.parametrize("body", [b'{"threadId":5}', b'{"runId":[]}', b'{"data":"x"}', b'{"forwardedProps":[1]}'])
def test_what_a_wire_may_not_know_may_be_anything(body: bytes) -> None:
    envelope = decode_envelope(body)
    assert read_options(envelope.data, envelope.forwarded_props) == Options()


@pytest.mark.parametrize("value", [5, [], {}, True])
def test_an_id_that_is_no_text_is_refused(value: object) -> None:
    assert refusal_of(lambda: read_id(value, "runId")).code is Code.bad_request


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        pytest.param(b"cut \\ud83d", "cut ?", id="half a surrogate pair"),
        pytest.param(b"\\ude00\\ud83d", "??", id="a surrogate pair the wrong way round"),
        pytest.param(b"\\ud83d \\ud83d\\ude00", "? \U0001f600", id="a half and a whole one"),
    ],
)
def test_half_a_character_is_mended(text: bytes, mended: str) -> None:
    """A browser writes it where a text was cut through an emoji; refused, that conversation could never go on."""
    envelope = decode_envelope(b'{"messages":[{"role":"user","content":"%b"}]}' % text)
    assert envelope.messages is not None
    assert envelope.messages[0].content == mended


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"messages=hi", id="a form"),
        pytest.param(b'{"messages":[]', id="cut"),
        pytest.param(b'{"messages":[]}}', id="too much"),
        pytest.param(b'{"messages":[]}{"messages":[]}', id="two"),
        pytest.param(b"{'messages':[]}", id="single quotes"),
        pytest.param(b'{"messages":[],}', id="a comma too many"),
        pytest.param(b'{"data":{"a":NaN}}', id="NaN"),
        pytest.param(b'{"data":{"a":-Infinity}}', id="Infinity"),
        pytest.param(b'{"data":{"a":01}}', id="a leading zero"),
        pytest.param(b'{"runId":"a\nb"}', id="a raw line feed"),
        pytest.param(b'{"runId":"a\0b"}', id="a raw nul"),
        pytest.param(b'{"runId":"\\x41"}', id="an escape that JSON has not"),
        pytest.param(b'{"runId":"\xed\xa0\xbd"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"runId":"\xff"}', id="no UTF-8"),
        pytest.param(b'{"runId":"\xc3', id="half a character"),
        pytest.param(b'\xef\xbb\xbf{"messages":[]}', id="a byte order mark"),
        pytest.param('{"messages":[]}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"data":{"a":' + b"[" * 100_000, id="open brackets"),
        pytest.param(b'{"data":' * 100_000, id="open objects"),
        pytest.param(b'{"data":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", id="deep where it is read"),
        pytest.param(b'{"news":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep where it is not"),
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    assert refusal_of(lambda: decode_envelope(body)).code is Code.bad_json


def test_of_two_fields_of_a_name_the_last_counts() -> None:
    assert decode_envelope(b'{"runId":"a","data":{"x":1,"x":2},"runId":"b"}') == Envelope(run_id="b", data={"x": 2})


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000, "1" * 400])
@pytest.mark.parametrize("field", ["temperature", "max_tokens", "news"])
def test_a_huge_number_is_a_value_or_refused_with_its_place(field: str, number: str) -> None:
    body = f'{{"messages":[],"{field}":{number}}}'.encode()
    outcome = outcome_of(lambda: read_options(top_level(decode_envelope(body))))
    if isinstance(outcome, Refusal):
        assert outcome.code is Code.bad_request
        assert f"$.{field}`" in outcome.message


BODIES = st.sampled_from(
    [
        {"messages": [HI]},
        {"messages": [HI], "model": "m", "temperature": 0.5, "max_tokens": 5},
        {
            "messages": [{"role": "user", "parts": [{"type": "text", "content": "hé\U0001f600"}]}],
            "data": {"model": "m"},
        },
        {"threadId": "t", "runId": "r", "messages": [HI], "forwardedProps": {"maxTokens": 7}, "tools": [], "state": {}},
    ]
).flatmap(lambda body: st.sampled_from([json.dumps(body).encode(), json.dumps(body, ensure_ascii=False).encode()]))


def parse(body: bytes) -> ChatRequest:
    envelope = decode_envelope(body)
    return detect(envelope).parse(envelope, max_messages=10)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A body in which some bytes are lost, added or other ones."""
    body = bytearray(draw(BODIES))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"{", b"[", b"null", b"5", b"\\ud800", b"\\u0000", b"1e999"])
        )
    return bytes(body)


@settings(deadline=None, max_examples=400)
@given(damaged() | st.binary(max_size=50))
def test_any_body_is_a_request_or_refused(body: bytes) -> None:
    outcome = outcome_of(lambda: parse(body))
    if isinstance(outcome, Refusal):
        assert outcome.status in (400, 413, 422)
        assert outcome.message.isprintable()
        assert len(outcome.message) < 200
    else:
        assert outcome.messages


@pytest.mark.parametrize("body", [b"{}", b'{"messages":null}', b'{"messages":[]}'])
def test_no_messages_are_refused(body: bytes) -> None:
    assert refusal_of(lambda: read_rows(decode_envelope(body), 10)).code is Code.bad_request


def test_more_messages_than_the_limit_are_refused() -> None:
    envelope = Envelope([Row("user", "hi")] * 3)
    assert len(read_rows(envelope, 3)) == 3
    assert refusal_of(lambda: read_rows(envelope, 2)).code is Code.too_many_messages


@pytest.mark.parametrize("value", [None, "r", "run-1795-x59", "a b", "~!/?%", "x" * MAX_ID])
def test_an_id_that_can_be_carried_is_kept(value: str | None) -> None:
    assert read_id(value, "runId") == value


@pytest.mark.parametrize("value", ["", "x" * (MAX_ID + 1), "é", "a\nb", "a\r", "\0", "\x7f", "😀", "\u2028"])
def test_an_id_that_cannot_be_carried_is_refused_by_name(value: str) -> None:
    refusal = refusal_of(lambda: read_id(value, "runId"))
    assert refusal.code is Code.bad_request
    assert "runId" in refusal.message


@pytest.mark.parametrize(
    ("sources", "options"),
    [
        ([], Options()),
        ([None, None], Options()),
        ([{"model": "a"}], Options(model="a")),
        ([{"model": "a"}, {"model": "b"}, {"model": "c"}], Options(model="c")),
        ([{"model": "a"}, {"model": "b"}, {}], Options(model="b")),
        ([{"model": "a", "persona": "p"}, None, {"model": "c"}], Options(model="c", persona="p")),
        ([{"model": "a"}, {"model": None}], Options(model="a")),
        ([{"max_tokens": 1}, {"maxTokens": 2}, {"max_completion_tokens": 3}], Options(max_tokens=3)),
        ([{"max_completion_tokens": 1}, {"max_tokens": 2}], Options(max_tokens=2)),
        ([{"temperature": 1, "provider": "groq"}], Options(temperature=1.0, provider="groq")),
        ([{"conversationId": "c", "Model": "m", "api_key": "k", "system": "s", "base_url": "u"}], Options()),
    ],
)
def test_of_the_options_the_later_source_wins(sources: list[dict[str, Any] | None], options: Options) -> None:
    assert read_options(*sources) == options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("persona", 5),
        ("model", ["m"]),
        ("provider", {}),
        ("temperature", "1"),
        ("temperature", True),
        ("max_tokens", 1.5),
        ("max_tokens", "1"),
        ("max_tokens", False),
    ],
)
def test_an_option_of_a_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    refusal = refusal_of(lambda: read_options({name: value}))
    assert refusal.code is Code.bad_request
    assert f"$.{name}" in refusal.message


@pytest.mark.parametrize("name", ["maxTokens", "max_tokens"])
def test_the_options_beside_the_messages_are_read(name: str) -> None:
    body = {"persona": "p", "model": "m", "provider": "v", "temperature": 0, name: 7}
    envelope = decode_envelope(json.dumps(body).encode())
    assert read_options(top_level(envelope)) == Options("p", "m", "v", 0.0, 7)


def test_max_completion_tokens_beside_the_messages_is_read() -> None:
    envelope = decode_envelope(b'{"max_completion_tokens":7}')
    assert read_options(top_level(envelope)) == Options(max_tokens=7)
