"""A reply's bytes, before there is a socket."""

import json
import re
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.testing import Reply, ToolCall
from tokenwire.testing.script import Script, script
from tokenwire.testing.wires import WIRES
from tokenwire.testing.wires.base import Ask
from tokenwire.testing.wires.openai_chat import OpenAIChat

ASK = Ask(number=1, model="m", stream=True, body={"stream_options": {"include_usage": True}})
DELTAS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=5)
SIZES = st.none() | st.lists(st.integers(1, 300), min_size=1, max_size=4)
FAULTS = st.sampled_from(["cut_at", "reset_at", "stall_at"])
CALLS = st.lists(st.sampled_from([(), ("{}",), ("{", "}"), ('{"a":', "[1]", "}")]), max_size=2)
FRAMINGS = st.sampled_from(["chunked", "length", "close"])


def chat(reply: Reply, ask: Ask = ASK) -> Script:
    return script(OpenAIChat(), reply, ask)


def joined(reply: Reply) -> bytes:
    return b"".join(write.data for write in chat(reply).writes)


@given(DELTAS, DELTAS, SIZES, FRAMINGS, FAULTS, st.integers(0, 3000))
def test_sizes_and_faults_only_cut_the_bytes(
    text: list[str], reasoning: list[str], sizes: Any, framing: Any, fault: str, offset: int
) -> None:
    plain = Reply(text=text, reasoning=reasoning, framing=framing)
    whole = joined(plain)
    at: dict[str, Any] = {fault: offset}
    faulty = replace(plain, write_sizes=sizes, **at)
    played = chat(faulty)
    assert joined(faulty) == whole[:offset]
    assert (played.ending in ("close", "reset", "stall")) == (offset <= len(whole) or framing == "close")
    assert all(write.data for write in played.writes)
    if sizes is not None:
        lengths = [len(write.data) for write in played.writes]
        assert lengths[:-1] == [sizes[n % len(sizes)] for n in range(len(lengths))][:-1]


@given(DELTAS, FRAMINGS)
def test_each_delta_is_a_write_between_the_opening_and_the_end(text: list[str], framing: Any) -> None:
    writes = chat(Reply(text=text, framing=framing)).writes
    opening, deltas, end = writes[:2], writes[2 : 2 + len(text)], writes[2 + len(text) :]
    assert [(write.begun, write.complete, write.final) for write in opening] == [(0, 0, False)] * 2
    assert [(write.begun, write.complete, write.final) for write in deltas] == [
        (n, n, False) for n in range(1, len(text) + 1)
    ]
    assert {(write.begun, write.complete, write.final) for write in end} == {(len(text), len(text), True)}
    for said, write in zip(text, deltas, strict=True):
        [event] = re.findall(rb"data: (.*)\n\n", write.data)
        assert json.loads(event)["choices"][0]["delta"] == {"content": said}


@given(DELTAS, SIZES, FRAMINGS)
def test_a_resized_write_is_as_far_as_its_last_byte(text: list[str], sizes: Any, framing: Any) -> None:
    plain = chat(Reply(text=text, framing=framing)).writes
    owner = [write for write in plain for _ in write.data]
    ends = list(accumulate(len(write.data) for write in plain))
    sent = 0
    for write in chat(Reply(text=text, framing=framing, write_sizes=sizes)).writes:
        sent += len(write.data)
        assert (write.begun, write.final) == (owner[sent - 1].begun, owner[sent - 1].final)
        whole = [p for p, end in zip(plain, ends, strict=True) if end <= sent]
        assert write.complete == max((p.complete for p in whole), default=0)


@given(DELTAS, SIZES, st.booleans())
def test_there_is_one_interval_between_two_deltas(text: list[str], sizes: Any, stream: bool) -> None:
    ask = replace(ASK, stream=stream)
    played = chat(Reply(text=text, write_sizes=sizes), ask)
    assert sum(played.intervals()) == max(0, len(text) - 1)
    for write, intervals in zip(played.writes, played.intervals(), strict=True):
        assert intervals == 0 or write.begun > 1


@given(st.sampled_from(WIRES), DELTAS, DELTAS, CALLS, st.none() | st.just("signed"), st.none() | st.integers(0, 9))
def test_a_stream_of_any_wire_says_each_delta_once(
    wire: Any, text: list[str], reasoning: list[str], calls: Any, signature: str | None, error_after: int | None
) -> None:
    tool_calls = [ToolCall("id", "name", arguments) for arguments in calls]
    reply = Reply(text=text, reasoning=reasoning, tool_calls=tool_calls, signature=signature, error_after=error_after)
    writes = script(wire, reply, ASK).writes
    said = writes[-1].complete
    if error_after is None:
        assert said == reply.deltas
    else:
        assert said <= min(error_after, reply.deltas)
    if said == error_after:
        assert len([write for write in writes if write.final]) == len(list(wire.failure(reply, ASK)))
    for before, write in pairwise(writes):
        assert before.begun <= write.begun
        assert before.complete <= write.complete <= write.begun <= said
        # a step lets out all that belongs to the next delta, and holds back all that comes after the last
        assert write.final or write.begun == 0 or write.begun > before.complete
        if said > 0:
            assert write.final == (before.complete == said)
    assert writes[-1].final


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"cut_at": 1, "stall_at": 1}, "at most one"),
        ({"reset_at": -1}, "not negative"),
        ({"error_after": -1}, "not negative"),
        ({"cached_tokens": 9}, "part of the prompt"),
        ({"write_sizes": ()}, "at least one size"),
        ({"write_sizes": (3, 0)}, "all of them positive"),
    ],
)
def test_a_reply_that_makes_no_sense_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Reply(**fields)


def test_one_string_is_not_a_sequence_of_deltas() -> None:
    with pytest.raises(TypeError, match="not one string"):
        Reply(text="Hello")
    with pytest.raises(TypeError, match="not one string"):
        ToolCall("id", "name", "{}")


def test_the_same_script_gives_the_same_bytes() -> None:
    reply = Reply(text=("a", "b"), reasoning=("c",))
    assert joined(reply) == joined(reply)
