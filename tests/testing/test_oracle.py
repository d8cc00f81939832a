"""The oracle: one way to go wrong at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.testing import Oracle, Reading, Wrong

SAID = Oracle.of(["one ", "two ", "three"], reasoning=["well, ", "well"])


def read(text: str = "one two three", reasoning: str = "well, well", *ends: str) -> Reading:
    return Reading(text, reasoning, list(ends or [""]))


def verdict(*readings: Reading, asked: int = 1, oracle: Oracle = SAID) -> set[Wrong]:
    return {finding.wrong for finding in oracle.judge(readings, asked)}


def test_an_answer_that_everybody_has_is_fine() -> None:
    assert SAID.judge([read(), read()]) == []


@pytest.mark.parametrize(
    ("reading", "wrong"),
    [
        pytest.param(read("one two "), {Wrong.lost}, id="the end is missing"),
        pytest.param(read("two three"), {Wrong.lost}, id="the beginning is missing"),
        pytest.param(read("one three"), {Wrong.lost}, id="the middle is missing"),
        pytest.param(read(""), {Wrong.lost}, id="everything is missing"),
        pytest.param(read(reasoning="well, "), {Wrong.lost}, id="reasoning is missing"),
        pytest.param(read("one two two three"), {Wrong.doubled}, id="a delta twice"),
        pytest.param(read("one two threeone two three"), {Wrong.doubled}, id="the answer twice"),
        pytest.param(read(reasoning="well, well, well"), {Wrong.doubled}, id="reasoning twice"),
        pytest.param(read("one one three"), {Wrong.lost, Wrong.doubled}, id="a delta in another's place"),
        pytest.param(read("one three two "), {Wrong.lost, Wrong.doubled}, id="another order"),
        pytest.param(read("well, well", "one two three"), {Wrong.lost, Wrong.doubled}, id="reasoning as text"),
        pytest.param(Reading("one two three", "well, well"), {Wrong.lost}, id="no end"),
        pytest.param(read("one two three", "well, well", "", ""), {Wrong.terminals}, id="two ends"),
        pytest.param(read("one two three", "well, well", "internal"), {Wrong.error}, id="an error"),
        pytest.param(Reading("one", error="HTTP 404"), {Wrong.error}, id="the reader gave up"),
        pytest.param(Reading("one", hung=True), {Wrong.hung}, id="the reader waits for ever"),
    ],
)
def test_each_way_to_go_wrong_is_told_from_the_others(reading: Reading, wrong: set[Wrong]) -> None:
    assert verdict(reading) == wrong
    assert verdict(read(), reading) >= wrong


def test_a_question_asked_again_is_found_though_nobody_noticed() -> None:
    assert verdict(read(), asked=2) == {Wrong.second_generation}
    assert verdict(read(), asked=0) == set()


def test_readers_must_agree_on_the_end() -> None:
    oracle = Oracle(SAID.text, SAID.reasoning, may_fail={"worker_lost"})
    assert verdict(read(), read("one two three", "well, well", "worker_lost"), oracle=oracle) == {Wrong.terminals}


def test_an_answer_may_break_off_where_that_is_no_surprise() -> None:
    broken_off = [read("one tw", "well, well", "worker_lost"), read("one tw", "well, well", "worker_lost")]
    assert verdict(*broken_off) == {Wrong.error, Wrong.lost}
    assert verdict(*broken_off, oracle=Oracle(SAID.text, SAID.reasoning, may_fail={"worker_lost"})) == set()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("one t", {Wrong.lost}), ("oone tw", {Wrong.doubled}), ("one two x", {Wrong.lost, Wrong.doubled})],
)
def test_an_answer_that_breaks_off_does_so_at_one_place_and_is_right_until_there(text: str, wrong: set[Wrong]) -> None:
    oracle = Oracle(SAID.text, SAID.reasoning, may_fail={"worker_lost"})
    luckiest = read("one two ", "well, well", "worker_lost")
    assert verdict(luckiest, read(text, "well, well", "worker_lost"), oracle=oracle) >= wrong


@given(said=st.text(), start=st.integers(0, 20), size=st.integers(1, 20))
def test_whatever_is_left_out_or_repeated_is_found(said: str, start: int, size: int) -> None:
    oracle = Oracle(said)
    piece = said[start : start + size]
    assert verdict(Reading(said, terminals=[""]), oracle=oracle) == set()
    if piece:
        left_out = said[:start] + said[start + size :]
        assert verdict(Reading(left_out, terminals=[""]), oracle=oracle) == {Wrong.lost}
        repeated = said[:start] + piece + said[start:]
        assert verdict(Reading(repeated, terminals=[""]), oracle=oracle) == {Wrong.doubled}
