"""Tool calls put together from fragments; the shapes that upstreams send are golden transcripts."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.narration import Narration
from tokenwire.providers.tool_calls import Fragment, Function, ToolCalls


def told(*chunks: list[Fragment]) -> list[tuple[str, str, str]]:
    """The calls as (id, name, arguments)."""
    narration = Narration("m")
    calls = ToolCalls("m", narration)
    for chunk in chunks:
        calls.read(chunk)
    calls.finish()
    found: dict[str, tuple[str, str]] = {}
    for event in narration.close():
        match event:
            case events.ToolCallStart(call_id, name):
                found[call_id] = (name, "")
            case events.ToolCallArgs(call_id, delta):
                name, before = found[call_id]
                found[call_id] = (name, before + delta)
    assert bool(calls) == bool(found)
    return [(call_id, name, arguments) for call_id, (name, arguments) in found.items()]


def fragment(index: Any = None, call_id: Any = None, name: str | None = None, arguments: Any = None) -> Fragment:
    return Fragment(index, call_id, Function(name, arguments))


def test_a_call_is_told_as_its_arguments_begin() -> None:
    narration = Narration("m")
    calls = ToolCalls("m", narration)
    calls.read([fragment(0, "c", "f", "")])
    assert narration.take() == []
    calls.read([fragment(0, arguments='{"a')])
    assert narration.take()[-2:] == [events.ToolCallStart("c", "f", "m"), events.ToolCallArgs("c", '{"a')]
    calls.read([fragment(0, arguments='":1}')])
    assert narration.take() == [events.ToolCallArgs("c", '":1}')]


def test_a_call_without_arguments_is_told_when_another_begins_or_at_the_end() -> None:
    assert told([fragment(0, "c", "f", "")], [fragment(1, "d", "g")]) == [
        ("c", "f", "{}"),
        ("d", "g", "{}"),
    ]


def test_what_never_gets_a_name_is_no_call() -> None:
    assert told([fragment(0, "c", None, "{}")]) == []
    assert told([fragment(0, "c", None, "{}")], [fragment(1, "d", "g", "{}")]) == [("d", "g", "{}")]
    assert told([Fragment()], [Fragment(0, "c", None)]) == []


def test_a_name_may_come_after_another_call_began() -> None:
    assert told([fragment(0, "c", None, "{}")], [fragment(1, "d", "g", "{}")], [fragment(0, "c", "f")]) == [
        ("d", "g", "{}"),
        ("c", "f", "{}"),
    ]


def test_a_name_that_grows_is_not_said_twice() -> None:
    assert told([fragment(0, "c", "get_")], [fragment(0, "c", "get_time", "{}")]) == [("c", "get_time", "{}")]


def test_an_id_that_is_not_one_is_made_up() -> None:
    assert told([fragment(0, 7, "f", "{}")]) == [("m-call-1", "f", "{}")]


def test_an_id_that_was_made_up_stays_when_the_upstream_says_the_same() -> None:
    assert told([fragment(0, None, "f", "{}")], [fragment(1, "m-call-1", "g", "{}")]) == [
        ("m-call-1", "f", "{}"),
        ("m-call-2", "g", "{}"),
    ]


def test_an_index_that_is_not_one_is_missing() -> None:
    odd: list[Any] = ["0", 0.0, True, [], {}]
    for index in odd:
        assert told([fragment(index, "c", "f", "{")], [fragment(index, None, None, "}")]) == [("c", "f", "{}")]


def test_braces_in_texts_do_not_end_arguments() -> None:
    first, second = '{"a":"}\\"', '}"}'
    assert told([fragment(0, None, "f", first)], [fragment(0, None, "f", second)]) == [
        ("m-call-1", "f", first + second)
    ]


texts = st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2).map(
    lambda v: msgspec.json.encode(v).decode()
)


@st.composite
def calls_in_pieces(draw: st.DrawFn) -> tuple[list[tuple[str, str, str]], list[list[Fragment]]]:
    """Parallel calls as a sane upstream streams them, cut anywhere and interleaved."""
    wanted = [(f"c{n}", draw(st.sampled_from("fgh")), draw(texts)) for n in range(draw(st.integers(1, 4)))]
    chunks = [[fragment(n, call_id, name, "")] for n, (call_id, name, _) in enumerate(wanted)]
    left = [arguments for _, _, arguments in wanted]
    while any(left):
        n = draw(st.sampled_from([n for n, text in enumerate(left) if text]))
        size = draw(st.integers(1, len(left[n])))
        chunks.append([fragment(n, None, None, left[n][:size])])
        left[n] = left[n][size:]
    return wanted, chunks


@given(calls_in_pieces())
def test_interleaved_calls_are_told_apart(case: tuple[list[tuple[str, str, str]], list[list[Fragment]]]) -> None:
    wanted, chunks = case
    assert sorted(told(*chunks)) == wanted


fragments = st.builds(
    fragment,
    st.none() | st.integers(-1, 3),
    st.none() | st.sampled_from(["", "a", "b", "m-call-1"]),
    st.none() | st.sampled_from(["", "f", "g"]),
    st.none() | st.sampled_from(["", "{", "}", "{}", '"']) | st.just([1]),
)


@given(st.lists(st.lists(fragments, max_size=3), max_size=12))
def test_whatever_comes_ids_are_unique_and_names_are_there(chunks: list[list[Fragment]]) -> None:
    calls = told(*chunks)
    assert all(call_id and name for call_id, name, _ in calls)
    assert all(arguments for _, _, arguments in calls)
    said = sum(str(it.function.arguments).count('"') for chunk in chunks for it in chunk if it.function)
    assert sum(arguments.count('"') for _, _, arguments in calls) <= said
