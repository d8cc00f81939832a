"""The canonical JSON of events: what wires may count on without decoding it."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire import events

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
COUNT = st.none() | st.integers(0, 2**63)
EVENTS: st.SearchStrategy[events.Event] = st.one_of(
    st.builds(events.RunStarted, TEXT, TEXT),
    st.builds(
        events.RunFinished,
        TEXT,
        TEXT,
        st.sampled_from(get_args(events.FinishReason)),
        st.none() | TEXT,
        st.none() | st.builds(events.Usage, COUNT, COUNT, COUNT, COUNT, COUNT),
    ),
    st.builds(events.RunError, TEXT, TEXT, TEXT, TEXT),
    st.builds(events.TextMessageStart, TEXT, st.just("assistant")),
    st.builds(events.TextMessageContent, TEXT, TEXT),
    st.builds(events.TextMessageEnd, TEXT),
    st.builds(events.ReasoningStart, TEXT),
    st.builds(events.ReasoningMessageStart, TEXT, st.just("reasoning")),
    st.builds(events.ReasoningMessageContent, TEXT, TEXT),
    st.builds(events.ReasoningMessageEnd, TEXT),
    st.builds(events.ReasoningEnd, TEXT),
)


@settings(deadline=None)
@given(EVENTS)
def test_an_event_survives_its_json(event: events.Event) -> None:
    assert events.decode(events.encode(event)) == event


@settings(deadline=None)
@given(EVENTS)
def test_the_canonical_form_can_be_reframed_without_decoding(event: events.Event) -> None:
    payload = events.encode(event)
    fields = json.loads(payload)
    assert next(iter(fields)) == "type"
    assert payload.startswith(b'{"type":"%b"' % fields["type"].encode())
    assert None not in fields.values()
    assert b"\n" not in payload
    assert b"\r" not in payload
    if "delta" in fields:
        rest = payload.partition(b',"delta":')[2]
        assert json.loads(rest.removesuffix(b"}")) == fields["delta"]


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (events.RunStarted("t", "r"), '{"type":"RUN_STARTED","threadId":"t","runId":"r"}'),
        (
            events.RunFinished("t", "r", "stop"),
            '{"type":"RUN_FINISHED","threadId":"t","runId":"r","finishReason":"stop"}',
        ),
        (
            events.RunFinished("t", "r", "length", "m", events.Usage(prompt_tokens=0, cached_tokens=2)),
            '{"type":"RUN_FINISHED","threadId":"t","runId":"r","finishReason":"length","model":"m",'
            '"usage":{"promptTokens":0,"cachedTokens":2}}',
        ),
        (
            events.RunError("Bad.", "internal", "t", "r"),
            '{"type":"RUN_ERROR","message":"Bad.","code":"internal","threadId":"t","runId":"r"}',
        ),
        (
            events.TextMessageStart("m", "assistant"),
            '{"type":"TEXT_MESSAGE_START","messageId":"m","role":"assistant"}',
        ),
        (
            events.TextMessageContent("m", 'é \u2028 "\n'),
            '{"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"é \u2028 \\"\\n"}',
        ),
        (events.TextMessageEnd("m"), '{"type":"TEXT_MESSAGE_END","messageId":"m"}'),
        (
            events.ReasoningMessageStart("m", "reasoning"),
            '{"type":"REASONING_MESSAGE_START","messageId":"m","role":"reasoning"}',
        ),
        (
            events.ReasoningMessageContent("m", "hm"),
            '{"type":"REASONING_MESSAGE_CONTENT","messageId":"m","delta":"hm"}',
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else "",
)
def test_the_fields_have_the_names_clients_read(event: events.Event, payload: str) -> None:
    assert events.encode(event) == payload.encode()


@settings(deadline=None)
@given(EVENTS)
def test_a_terminal_event_is_known_by_its_first_bytes(event: events.Event) -> None:
    assert events.is_terminal(events.encode(event)) == isinstance(event, events.Terminal)


def test_a_text_that_looks_like_a_terminal_is_none() -> None:
    assert not events.is_terminal(events.encode(events.TextMessageContent("m", '{"type":"RUN_FINISHED"')))


@pytest.mark.parametrize(
    "payload", [b'{"type":"NEWS"}', b'{"type":"TEXT_MESSAGE_END"}', b'{"messageId":"m"}', b"[]", b"null"]
)
def test_what_is_no_event_is_refused(payload: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        events.decode(payload)


@settings(deadline=None)
@given(TEXT)
def test_a_quoted_string_is_one_line_of_json(text: str) -> None:
    quoted = events.quote(text)
    assert json.loads(quoted) == text
    assert b"\n" not in quoted
