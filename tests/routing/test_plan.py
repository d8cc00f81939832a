"""Whom to ask, and in which order."""

import math
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tokenwire.providers.base import Target
from tokenwire.routing.plan import Turn, make_plan, next_turn

from .targets import choice

WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(0, 1e12)), min_size=1, max_size=6)
DRAWS = st.randoms(use_true_random=False)


@given(WEIGHTS, DRAWS)
def test_everybody_has_one_turn_and_the_weightless_come_last_as_they_stand(
    weights: list[float], draws: random.Random
) -> None:
    choices = [choice(str(number), weight) for number, weight in enumerate(weights)]
    plan = make_plan(choices, draws.random)
    assert sorted(turn.target.provider for turn in plan) == [str(number) for number in range(len(weights))]
    weightless = [each for each in choices if not each.weight]
    assert [turn.choice for turn in plan][len(choices) - len(weightless) :] == weightless
    assert {(turn.asked, turn.earliest) for turn in plan} == {(0, -math.inf)}


def test_who_is_first_goes_by_weight_and_so_does_who_is_next() -> None:
    weights = {"a": 6.0, "b": 3.0, "c": 1.0}
    draws = random.Random(7)  # noqa: S311
    plans = [make_plan([choice(*each) for each in weights.items()], draws.random) for _ in range(4000)]
    orders = Counter("".join(turn.target.provider for turn in plan) for plan in plans)
    for order, times in orders.items():
        left = dict(weights)
        expected = 1.0
        for name in order:
            expected *= left[name] / sum(left.values())
            del left[name]
        assert abs(times / 4000 - expected) < 0.03, order


TURNS = st.lists(
    st.builds(
        lambda name, earliest: Turn(choice(name), earliest=earliest),
        st.sampled_from("abcdef"),
        st.one_of(st.just(-math.inf), st.floats(0, 20)),
    ),
    max_size=6,
)


@given(TURNS, st.floats(0, 20), st.frozensets(st.sampled_from("abcdef")))
def test_the_next_is_who_can_be_asked_the_soonest(turns: list[Turn], now: float, aside: frozenset[str]) -> None:
    def admits(target: Target, _: float) -> bool:
        return target.provider not in aside

    turn = next_turn(tuple(turns), now, admits)
    possible = [each for each in turns if each.target.provider not in aside]
    if turn is None:
        assert possible == []
        return
    wait = max(turn.earliest, now)
    assert all(wait <= max(each.earliest, now) for each in possible)
    assert turn is next(each for each in possible if max(each.earliest, now) == wait)


def test_whether_somebody_may_be_asked_is_judged_for_the_moment_of_the_turn() -> None:
    plan = (Turn(choice("a"), earliest=3.0), Turn(choice("b"), earliest=5.0))
    moments = []

    def admits(target: Target, moment: float) -> bool:
        moments.append((target.provider, moment))
        return moment >= 5

    assert next_turn(plan, 4.0, admits) is plan[1]
    assert moments == [("a", 4.0), ("b", 5.0)]
