"""What follows a failure."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.errors import Code, Failure, UpstreamFailure
from tokenwire.routing.plan import Plan, Turn
from tokenwire.routing.retry import BASE_SECONDS, CAP_SECONDS, backoff, replan

from .targets import choice

MAY_PASS = {
    Code.upstream_unavailable,
    Code.upstream_overloaded,
    Code.upstream_timeout,
    Code.upstream_rate_limited,
    Code.upstream_truncated,
}
UPSTREAMS = [code for code in Code if code.startswith("upstream_")] + [Code.context_too_long, Code.unsupported_content]

UPSTREAM_FAILURES = st.builds(
    UpstreamFailure, st.sampled_from(UPSTREAMS), retry_after=st.one_of(st.none(), st.integers(0, 30))
)
DRAWS = st.randoms(use_true_random=False)


def after(plan: Plan, failed: Turn, failure: Failure, **known: Any) -> Plan:
    defaults: dict[str, Any] = {"status": 0, "now": 0.0, "deadline": 15.0, "random": random.random}
    return replan(plan, failed, failure, **(defaults | known))


@given(UPSTREAM_FAILURES, st.integers(0, 4), st.integers(0, 4), st.floats(0, 20), DRAWS)
def test_a_failure_takes_one_turn_and_gives_at_most_one_back(
    failure: UpstreamFailure, asked: int, retries: int, now: float, draws: random.Random
) -> None:
    failed, others = Turn(choice("a", retries=retries), asked), (Turn(choice("b")), Turn(choice("c"), 1, 3.0))
    left = after((failed, *others), failed, failure, now=now, random=draws.random)
    assert left[:2] == others
    for again in left[2:]:
        assert again.choice is failed.choice
        assert (again.asked, len(left)) == (asked + 1, 3)
        assert again.asked <= retries
        assert failure.code in MAY_PASS
        assert now + (failure.retry_after or 0) <= again.earliest <= 15.0
    if len(left) == 2 and failure.code in MAY_PASS and asked < retries:
        assert now + (failure.retry_after or 0) + CAP_SECONDS > 15.0


@given(st.integers(0, 6), st.lists(UPSTREAM_FAILURES, min_size=30, max_size=30), DRAWS)
def test_a_question_comes_to_an_end(retries: int, failures: list[UpstreamFailure], draws: random.Random) -> None:
    plan: Plan = tuple(Turn(choice(name, retries=retries)) for name in "abc")
    now = 0.0
    for failure in failures:
        if not plan:
            return
        failed = min(plan, key=lambda turn: turn.earliest)
        now = max(now, failed.earliest)
        assert now <= 15.0
        plan = after(plan, failed, failure, now=now, random=draws.random)
    assert not plan or retries >= 6


@pytest.mark.parametrize("code", UPSTREAMS)
def test_the_same_target_is_asked_again_where_it_may_help(code: Code) -> None:
    failed = Turn(choice("a"))
    left = after((failed,), failed, UpstreamFailure(code), status=400)
    assert bool(left) == (code in MAY_PASS)


@pytest.mark.parametrize(("status", "again"), [(0, False), (200, True), (404, False), (418, False), (500, True)])
def test_an_error_without_a_name_may_pass_where_it_is_the_servers(status: int, again: bool) -> None:
    failed = Turn(choice("a"))
    assert bool(after((failed,), failed, UpstreamFailure(Code.upstream_error), status=status)) == again


@pytest.mark.parametrize(
    "failure", [UpstreamFailure(Code.content_filtered), Failure(Code.internal), Failure(Code.answer_too_long)]
)
def test_nobody_else_is_asked_where_it_would_be_shopping_around_or_is_our_own_fault(failure: Failure) -> None:
    failed, other = Turn(choice("a")), Turn(choice("b"))
    assert after((failed, other), failed, failure) == ()


@pytest.mark.parametrize(("retry_after", "again"), [(None, True), (14, True), (15, False), (86_400, False)])
def test_a_target_that_asks_for_more_time_than_there_is_is_not_asked_again(
    retry_after: int | None, again: bool
) -> None:
    failed = Turn(choice("a"))
    failure = UpstreamFailure(Code.upstream_rate_limited, retry_after=retry_after)
    (*left,) = after((failed,), failed, failure, random=lambda: 0.5)
    assert [turn.earliest >= (retry_after or 0) for turn in left] == [True] * again


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_grows_up_to_a_bound_and_is_drawn_from_all_of_it(asked: int, drawn: float) -> None:
    most = min(CAP_SECONDS, BASE_SECONDS * 2 ** min(asked - 1, 50))
    assert math.isclose(backoff(asked, lambda: drawn), drawn * most)
