"""What a model says, in whatever order, is told as events that every client takes."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.narration import Narration
from tokenwire.wire.detect import WIRES

from .wire.legality import assert_legal

Step = tuple[Any, ...]
"""A method of the narration and its arguments."""


def tell(steps: Iterable[Step]) -> list[events.Event]:
    """The events of an answer."""
    narration = Narration("m")
    told: list[events.Event] = []
    for name, *arguments in steps:
        if name == "take":
            told += narration.take()
        else:
            getattr(narration, name)(*arguments)
    return told + narration.close()


def outline(told: Iterable[events.Event]) -> list[str]:
    """Messages with what they hold, in short."""
    lines: list[str] = []
    for event in told:
        match event:
            case events.TextMessageStart():
                lines.append(f"{event.message_id}:")
            case events.TextMessageContent() | events.ToolCallArgs():
                lines[-1] += f" {event.delta}"
            case events.ReasoningMessageContent():
                lines[-1] += f" ({event.delta})"
            case events.ReasoningEncryptedValue():
                lines[-1] += f" <{event.encrypted_value}>"
            case events.ToolCallStart():
                lines[-1] += f" {event.tool_call_id}"
            case events.ToolCallEnd():
                lines[-1] += "."
    return lines


THINK, SIGN, SPEAK, CALL = ("reasoning", "hm"), ("sign", "s"), ("text", "Hi"), ("begin_call", "c", "f")


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([("text", ""), ("reasoning", "")], [], id="nothing is said"),
        pytest.param([SPEAK, ("text", "!")], ["m: Hi!"], id="text that came together"),
        pytest.param([SPEAK, ("take",), ("text", "!")], ["m: Hi !"], id="text that did not"),
        pytest.param([THINK, SPEAK], ["m: (hm) Hi"], id="reasoning, text"),
        pytest.param([THINK, SIGN, SPEAK], ["m: (hm) <s> Hi"], id="signed reasoning, text"),
        pytest.param([THINK, SIGN, THINK, ("sign", "t"), SPEAK], ["m: (hm) <s> (hm) <t> Hi"], id="two spans"),
        pytest.param([THINK, ("end_reasoning",), THINK], ["m: (hm) (hm)"], id="two unsigned spans"),
        pytest.param([THINK, THINK], ["m: (hmhm)"], id="one span"),
        pytest.param([SIGN, ("sign", "t"), SPEAK], ["m: <s> <t> Hi"], id="unreadable reasoning, text"),
        pytest.param([SIGN], ["m: <s>"], id="nothing but unreadable reasoning"),
        pytest.param([THINK, CALL], ["m: (hm) c."], id="reasoning, call"),
        pytest.param([SPEAK, THINK, SPEAK], ["m: Hi", "m-2: (hm) Hi"], id="reasoning after text"),
        pytest.param([SPEAK, CALL], ["m: Hi", "m-2: c."], id="a call after text"),
        pytest.param([CALL, SPEAK, ("text", "!")], ["m: c", "m-2: Hi!."], id="text while a call is open"),
        pytest.param([CALL, ("end_call", "c"), SPEAK], ["m: c.", "m-2: Hi"], id="text after a call"),
        pytest.param([CALL, ("begin_call", "d", "g")], ["m: c d.."], id="two calls"),
        pytest.param([CALL, THINK], ["m: c", "m-2: (hm)."], id="reasoning after a call"),
        pytest.param([("begin_call", "c", "f", "s")], ["m: c <s>."], id="a signed call"),
        pytest.param([CALL, ("arguments", "c", "{"), ("arguments", "c", "}")], ["m: c {}."], id="arguments"),
        pytest.param([("arguments", "c", "{}"), ("end_call", "c")], [], id="what belongs to no call"),
        pytest.param([SPEAK, SIGN], ["m: Hi <s>"], id="a signature at the end of text"),
        pytest.param([CALL, SIGN], ["m: c. <s>"], id="a signature at the end of calls"),
        pytest.param([SPEAK, SIGN, SPEAK], ["m: Hi", "m-2: <s> Hi"], id="a signature between texts"),
        pytest.param([SPEAK, SIGN, CALL], ["m: Hi", "m-2: <s> c."], id="a signature between text and call"),
        pytest.param([CALL, SIGN, ("begin_call", "d", "g")], ["m: c", "m-2: <s> d.."], id="a signature between calls"),
        pytest.param([SPEAK, SIGN, THINK], ["m: Hi", "m-2: <s> (hm)"], id="a signature between text and reasoning"),
    ],
)
def test_what_comes_in_which_order_is_which_message(steps: Sequence[Step], told: list[str]) -> None:
    assert outline(tell(steps)) == told


def test_every_piece_is_a_token() -> None:
    narration = Narration("m")
    for name, *arguments in [THINK, SIGN, SPEAK, ("text", ""), CALL, ("arguments", "c", "{}"), ("end_call", "c")]:
        getattr(narration, name)(*arguments)
    assert narration.tokens == 4


CALLS = ["c1", "c2", "c3"]


def _each_call_begun_once(steps: list[Step]) -> list[Step]:
    begun = [step[1] if step[0] == "begin_call" else None for step in steps]
    return [step for place, step in enumerate(steps) if begun[place] is None or begun[place] not in begun[:place]]


_WORDS = st.text("ab ", max_size=2)
_CALL = st.sampled_from(CALLS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["text", "reasoning"]), _WORDS),
        st.tuples(st.just("sign"), st.sampled_from("stuv")),
        st.sampled_from([("end_reasoning",), ("take",)]),
        st.tuples(st.just("begin_call"), _CALL, st.just("f"), st.none() | st.just("z")),
        st.tuples(st.just("arguments"), _CALL, _WORDS),
        st.tuples(st.just("end_call"), _CALL),
    ),
    max_size=14,
).map(_each_call_begun_once)


def run_of(told: list[events.Event]) -> list[bytes]:
    """The log of a run that says this."""
    ends = events.RunStarted("t", "r"), events.RunFinished("t", "r", "tool_calls")
    return [events.encode(event) for event in (ends[0], *told, ends[1])]


@pytest.mark.parametrize("name", ["tanstack", "tanstack-legacy"])
@given(steps=STEPS)
def test_whatever_is_said_is_legal(name: str, steps: list[Step]) -> None:
    # a client that was not told of a text would call the answer empty, which is another test's matter
    translate = WIRES[name].translator(1)
    assert_legal(name, [json.loads(said) for payload in run_of(tell(steps)) for said in translate(payload)])


@given(STEPS)
def test_everything_said_is_told_in_its_order(steps: list[Step]) -> None:
    told = tell(steps)
    text = "".join(event.delta for event in told if isinstance(event, events.TextMessageContent))
    assert text == "".join(step[1] for step in steps if step[0] == "text")
    reasoning = "".join(event.delta for event in told if isinstance(event, events.ReasoningMessageContent))
    assert reasoning == "".join(step[1] for step in steps if step[0] == "reasoning")
    signatures = [event for event in told if isinstance(event, events.ReasoningEncryptedValue)]
    of_reasoning = [event.encrypted_value for event in signatures if event.subtype == "message"]
    assert of_reasoning == [step[1] for step in steps if step[0] == "sign"]
    begun = [step for step in steps if step[0] == "begin_call"]
    started = [event.tool_call_id for event in told if isinstance(event, events.ToolCallStart)]
    assert started == [step[1] for step in begun]
    of_calls = [event.entity_id for event in signatures if event.subtype == "tool-call"]
    assert of_calls == [step[1] for step in begun if step[3] is not None]
    for call_id in CALLS:
        assert "".join(
            event.delta for event in told if isinstance(event, events.ToolCallArgs) and event.tool_call_id == call_id
        ) == arguments_of(call_id, steps)


def arguments_of(call_id: str, steps: list[Step]) -> str:
    """What was said of a call while it was open."""
    heard, is_open = "", False
    for name, *values in steps:
        if values[:1] == [call_id]:
            is_open = name == "begin_call" or (is_open and name != "end_call")
            heard += values[1] if name == "arguments" and is_open else ""
    return heard


@given(STEPS)
def test_no_message_shows_nothing_beside_others(steps: list[Step]) -> None:
    """A bubble of nothing but what nobody can read stands alone, where nothing else was said at all."""
    messages: dict[str, bool] = {}
    current = ""
    for event in tell(steps):
        match event:
            case events.TextMessageStart():
                current = event.message_id
                messages[current] = False
            case events.TextMessageContent() | events.ReasoningMessageContent() | events.ToolCallStart():
                messages[current] = True
    assert all(messages.values()) or len(messages) == 1


@given(STEPS)
def test_when_it_is_taken_changes_no_more_than_the_cuts(steps: list[Step]) -> None:
    at_once = tell(step for step in steps if step[0] != "take")
    assert joined(tell(steps)) == joined(at_once)


def joined(told: list[events.Event]) -> list[events.Event]:
    """The events with deltas that follow each other put together."""
    whole: list[events.Event] = []
    for event in told:
        last = whole[-1] if whole else None
        match last, event:
            case events.TextMessageContent(), events.TextMessageContent():
                whole[-1] = events.TextMessageContent(event.message_id, last.delta + event.delta)
            case events.ReasoningMessageContent(), events.ReasoningMessageContent():
                whole[-1] = events.ReasoningMessageContent(event.message_id, last.delta + event.delta)
            case events.ToolCallArgs(), events.ToolCallArgs() if last.tool_call_id == event.tool_call_id:
                whole[-1] = events.ToolCallArgs(event.tool_call_id, last.delta + event.delta)
            case _:
                whole.append(event)
    return whole
