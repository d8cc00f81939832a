"""Bodies that are no question: a clear short refusal, nothing of the inside, and a server that goes on."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenwire.testing import ThreadedUpstream

from .client import Answer, ask
from .wires import LEGACY, RAIS, TANSTACK, Wire, label

USER = {"role": "user", "content": "Hello"}
DEEP = 100_000


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


def rows(*messages: Any) -> dict[str, Any]:
    return {"messages": [USER, *messages]}


def with_value(place: bytes, value: bytes) -> bytes:
    """A question in which a value stands at a place."""
    return b'{"messages":[{"role":"user","content":"Hello"}],%b:%b}' % (place, value)


def with_content(value: bytes) -> bytes:
    """A question whose only message has a content."""
    return b'{"messages":[{"role":"user","content":%b}]}' % value


NO_JSON = {
    "nothing": b"",
    "a space": b" ",
    "half of it": b'{"messages":[{"role":"user"',
    "a form": b"messages=Hello",
    "two bodies": b"{}{}",
    "a trailing comma": b'{"messages":[],}',
    "single quotes": b"{'messages':[]}",
    "NaN": with_value(b'"temperature"', b"NaN"),
    "a bare control character": with_content(b'"a\x01b"'),
    "a null byte": with_content(b'"a\x00b"'),
    "UTF-8 that is none": with_content(b'"\xff\xfe"'),
    "UTF-8 cut short": with_content(b'"\xe2\x82"'),
    "UTF-8 too long": with_content(b'"\xc0\xaf"'),
    "a surrogate in UTF-8": with_content(b'"\xed\xa0\x80"'),
    "UTF-16": json.dumps(RAIS.body()).encode("utf-16"),
    "a deep object": nested(DEEP, b'{"a":', b"}"),
    "a deep content": with_content(nested(DEEP)),
    "a deep row": b'{"messages":[%b]}' % nested(DEEP, b'{"parts":[', b"]}"),
    "deep data": with_value(b'"data"', b'{"a":%b}' % nested(DEEP)),
    "deep props": with_value(b'"forwardedProps"', b'{"a":%b}' % nested(DEEP)),
    "a deep unknown field": with_value(b'"unknown"', nested(DEEP)),
    "a deep model": with_value(b'"model"', nested(DEEP)),
    "a deep array": nested(DEEP),
    "half a deep array": b"[" * DEEP,
    "deep messages": b'{"messages":%b}' % nested(DEEP),
}

WRONG: dict[str, bytes | dict[str, Any] | list[Any] | str] = {
    "null": b"null",
    "a number": b"1",
    "a text": b'"Hello"',
    "an array": [USER],
    "an empty object": {},
    "no messages": {"messages": []},
    "messages that are null": {"messages": None},
    "messages that are a text": {"messages": "Hello"},
    "messages that are an object": {"messages": USER},
    "a message that is a text": {"messages": ["Hello"]},
    "a message that is null": {"messages": [None]},
    "a message that is a list": {"messages": [[]]},
    "a message without anything": {"messages": [{}]},
    "a message without a role": {"messages": [{"content": "Hello"}]},
    "an empty message": {"messages": [{"role": "user", "content": ""}]},
    "an empty list of parts": {"messages": [{"role": "user", "content": []}]},
    "only empty messages": {"messages": [{"role": "assistant"}, {"role": "user", "content": None}]},
    "only reasoning": {"messages": [{"role": "reasoning", "content": "hm"}]},
    "only a result that nobody called for": {"messages": [{"role": "tool", "toolCallId": "a", "content": "b"}]},
    "an unknown role": rows({"role": "root", "content": "Hello"}),
    "an empty role": rows({"role": "", "content": "Hello"}),
    "a role that is a number": rows({"role": 1, "content": "Hello"}),
    "a content that is a number": rows({"role": "user", "content": 1}),
    "a content that is an object": rows({"role": "user", "content": {"text": "Hello"}}),
    "parts that are a text": rows({"role": "user", "parts": "Hello"}),
    "a part that is a text": rows({"role": "user", "parts": ["Hello"]}),
    "tool calls that are a text": rows({"role": "assistant", "toolCalls": "f"}),
    "a persona that is a number": RAIS.body(persona=1),
    "a model that is a list": RAIS.body(model=["small"]),
    "a temperature that is a text": RAIS.body(temperature="hot"),
    "a temperature that is true": RAIS.body(temperature=True),
    "a temperature beyond numbers": with_value(b'"temperature"', b"1e999"),
    "a temperature of too many digits": with_value(b'"temperature"', b"9" * 5000),
    "tokens that are a fraction": RAIS.body(max_tokens=0.5),
    "tokens that are a text": RAIS.body(max_tokens="many"),
    "a wrong option in data": LEGACY.body(data={"temperature": "hot"}),
    "a wrong option in the props": TANSTACK.body(forwardedProps={"model": {}}),
    "a run id that is a number": RAIS.body(runId=1),
    "a run id that is empty": RAIS.body(runId=""),
    "a run id that is too long": RAIS.body(runId="x" * 201),
    "a run id with a line end": RAIS.body(runId="a\r\nset-cookie: b"),
    "a run id with a null byte": RAIS.body(runId="a\0b"),
    "a run id with an escape": RAIS.body(runId="a\x1b[31mb"),
    "a run id that no header holds": RAIS.body(runId="rün"),
    "a thread id that is a list": RAIS.body(runId="a", threadId=[]),
    "a thread id with a line end": RAIS.body(runId="a", threadId="a\nb"),
    "a thread id that is too long": RAIS.body(runId="a", threadId="x" * 201),
}

ODD: dict[str, bytes | dict[str, Any]] = {
    "half a character": with_content(rb'"\ud83d"'),
    "half a character in a name": with_value(rb'"\ude00"', b"1"),
    "half a character, nested deeply": with_value(rb'"\ude00"', nested(60)),
    "data that is a text": RAIS.body(data="x"),
    "props that are a list": RAIS.body(forwardedProps=["x"]),
    "unknown fields": RAIS.body(stop=["x"], tools="y", stream=False, n=10, api_key="sk-1"),
    "an empty assistant turn": {"messages": [USER, {"role": "assistant", "content": ""}, USER]},
    "two questions in a row": rows(USER),
    "a name twice": b'{"messages":[],"messages":[{"role":"user","content":"Hello"}]}',
    "escapes of every kind": with_content(rb'"\u0000\ud83d\ude00\"\\\/\b\f\n\r\t\u2028"'),
    "a part of an unknown type": rows({"role": "user", "content": [{"type": "hologram"}, "x", 1, None, []]}),
    "a part whose type is a list": rows({"role": "user", "content": [{"type": []}]}),
    "a part whose type is an object": rows({"role": "user", "parts": [{"type": {}}]}),
    "a system part whose type is a list": rows({"role": "system", "parts": [{"type": [1]}]}),
    "a result whose call is a list": rows({"role": "assistant", "parts": [{"type": "tool-result", "toolCallId": []}]}),
    "a result whose call is an object": rows({"role": "user", "parts": [{"type": "tool-result", "toolCallId": {}}]}),
    "a call whose id is a list": rows({"role": "assistant", "toolCalls": [{"id": [], "function": {"name": "f"}}]}),
    "a call that is empty": rows({"role": "assistant", "toolCalls": [{}]}),
    "media without a source": rows({"role": "user", "content": [{"type": "image"}]}),
    "media from nowhere": rows({"role": "user", "content": [{"type": "image", "source": {"type": [], "value": "x"}}]}),
    "a tool's arguments, nested deeply": rows(
        {"role": "assistant", "toolCalls": [{"id": "c", "function": {"name": "f", "arguments": "[" * DEEP}}]}
    ),
    "a tool's arguments, a long number": rows(
        {"role": "assistant", "toolCalls": [{"id": "c", "function": {"name": "f", "arguments": "9" * DEEP}}]}
    ),
    "a decision, nested deeply": rows({"role": "tool", "toolCallId": "c", "content": '{"approved":' + "[" * DEEP}),
    "tokens beyond counting": with_value(b'"max_tokens"', b"9" * 300),
    "a temperature out of bounds": RAIS.body(temperature=-1e300),
    "a model that is not offered": RAIS.body(model="gpt-9", provider="nobody"),
    "a persona that is not offered": RAIS.body(persona="root\r\n"),
    "a long word": with_content(b'"' + b"x" * 1_000_000 + b'"'),
    "many small parts": rows({"role": "user", "content": [{"type": "text", "text": "x"}] * 200}),
}

INSIDE = (b"Traceback", b'File "', b"site-packages", b"tokenwire/", b"msgspec", b"Error:", b"object at 0x")


def is_clear(answer: Answer) -> bool:
    """Whether a refusal is short and says nothing of the inside."""
    assert len(answer.body) < 400
    assert not [word for word in INSIDE if word in answer.body], answer.body
    return answer.headers["content-type"] in ("application/json", "text/plain; charset=utf-8")


def is_unharmed(url: str) -> bool:
    """Whether a server still answers."""
    return RAIS.text(ask(url, body=RAIS.body()).read()) == "Hello, world"


@pytest.mark.parametrize("what", NO_JSON)
@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/rais"])
def test_what_is_no_json(upstream: ThreadedUpstream, ordinary: str, path: str, what: str) -> None:
    answer = ask(ordinary, path, NO_JSON[what])
    answer.read()
    assert answer.status == 400
    assert is_clear(answer)
    assert answer.json["error"]["code"] == "bad_json"
    assert upstream.requests == []
    assert is_unharmed(ordinary)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_question(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    answer = ask(ordinary, body=WRONG[what])
    answer.read()
    assert answer.status == 422
    assert is_clear(answer)
    assert upstream.requests == []
    assert is_unharmed(ordinary)


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_and_still_a_question(upstream: ThreadedUpstream, ordinary: str, what: str) -> None:
    answer = ask(ordinary, body=ODD[what])
    body = answer.read()
    assert answer.status == 200
    wire = LEGACY if b"RUN_STARTED" in body else RAIS
    assert wire.finished(body)
    assert is_unharmed(ordinary)


def test_half_a_character_is_all_that_is_lost(upstream: ThreadedUpstream, ordinary: str) -> None:
    """A browser that cuts a text in the middle of an emoji writes half of it, with every later turn too."""
    ask(ordinary, body=with_content(rb'"\u00fc \ud83d\ude00 \ud83d, \ude00."')).read()
    (row,) = upstream.received().body["messages"]
    assert row["content"].replace("\ufffd", "?") == "ü \U0001f600 ?, ?."


@pytest.mark.parametrize("depth", range(960, 1010, 5))
@pytest.mark.parametrize("place", ["output", "error", "content"])
def test_a_depth_that_one_reader_bears_and_the_next_does_not(
    upstream: ThreadedUpstream, ordinary: str, place: str, depth: int
) -> None:
    call = {"type": "tool-call", "id": "c", "name": "f", "arguments": "{}"}
    row = {"role": "assistant", "parts": [{**call, "output": "HERE"}]}
    if place != "output":
        row = {"role": "assistant", "parts": [call, {"type": "tool-result", "toolCallId": "c", place: "HERE"}]}
    answer = ask(ordinary, body=json.dumps(rows(row)).encode().replace(b'"HERE"', nested(depth)))
    answer.read()
    assert answer.status in (200, 400)


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, LEGACY], ids=label)
def test_a_refusal_is_in_the_form_of_the_wire_that_asked(ordinary: str, wire: Wire) -> None:
    answer = ask(ordinary, body=wire.body(messages=[]))
    assert answer.status == 422
    assert wire.told(answer) == "The request has no messages."


def test_too_many_messages(upstream: ThreadedUpstream, strict: str) -> None:
    assert RAIS.finished(ask(strict, body={"messages": [USER] * 5}).read())
    answer = ask(strict, body={"messages": [USER] * 6})
    assert answer.status == 413
    assert RAIS.told(answer) == "The conversation has more than 5 messages."
    assert len(upstream.requests) == 1


def test_what_is_not_offered_is_refused_where_the_operator_says_so(upstream: ThreadedUpstream, strict: str) -> None:
    answer = ask(strict, body=RAIS.body(persona="root", temperature=3))
    assert answer.status == 400
    assert "persona" in RAIS.told(answer)
    assert "temperature" in RAIS.told(answer)
    assert upstream.requests == []


def some(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs there, sometimes anything."""
    return right | right | ANYTHING


def some_of(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with some of its members."""
    return st.fixed_dictionaries({}, optional={name: some(member) for name, member in members.items()})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
TEXT = st.text(max_size=5)
ID = st.sampled_from(["a", "b", ""])
PART = some_of(
    type=st.sampled_from(["text", "image", "tool-call", "tool-result", "thinking", "structured-output"]),
    text=TEXT,
    content=TEXT,
    source=some_of(type=st.sampled_from(["url", "data"]), value=TEXT, mimeType=TEXT),
    metadata=some_of(detail=TEXT),
    id=ID,
    toolCallId=ID,
    name=TEXT,
    arguments=TEXT,
    output=ANYTHING,
    error=TEXT,
    raw=TEXT,
)
ROW = some_of(
    role=st.sampled_from(["user", "assistant", "tool", "system", "developer", "reasoning", "activity", "root"]),
    content=TEXT | st.lists(PART, max_size=2),
    parts=st.lists(PART, max_size=3),
    toolCalls=st.lists(some_of(id=ID, function=some_of(name=TEXT, arguments=TEXT)), max_size=2),
    toolCallId=ID,
    error=TEXT,
)
OPTIONS = some_of(model=TEXT, provider=TEXT, persona=TEXT, temperature=st.floats(0, 2), maxTokens=st.integers(1, 9))
QUESTION = some_of(
    messages=st.lists(some(ROW), max_size=4),
    data=OPTIONS,
    forwardedProps=OPTIONS,
    runId=TEXT,
    threadId=TEXT,
    model=TEXT,
    max_tokens=st.integers(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=3))
def test_whatever_the_messages_are_they_are_answered(
    upstream: ThreadedUpstream, ordinary: str, messages: list[dict[str, Any]]
) -> None:
    is_answered(ordinary, rows(*messages))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some(QUESTION))
def test_whatever_is_asked_is_answered(upstream: ThreadedUpstream, ordinary: str, question: Any) -> None:
    is_answered(ordinary, json.dumps(question).encode())


def is_answered(url: str, question: Any) -> None:
    answer = ask(url, body=question)
    answer.read()
    assert answer.status in (200, 400, 413, 422), answer.body
    assert answer.status == 200 or is_clear(answer)
