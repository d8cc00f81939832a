"""The circuit breaker, as a model of every order in which calls may begin and end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tokenwire.errors import Code, Failure, UpstreamFailure
from tokenwire.routing.breaker import Breaker, Rule

RULE = Rule(failures=3, seconds=4.0)
BROKEN = UpstreamFailure(Code.upstream_unavailable)
HARMLESS: list[Failure] = [
    UpstreamFailure(Code.upstream_rejected),
    UpstreamFailure(Code.context_too_long),
    UpstreamFailure(Code.content_filtered),
    UpstreamFailure(Code.unsupported_content),
    Failure(Code.internal),
    Failure(Code.answer_too_long),
]


NEW = Breaker()


def broken(times: int, breaker: Breaker = NEW, now: float = 0.0) -> Breaker:
    for _ in range(times):
        breaker = breaker.fail(BROKEN, now, RULE, probe=False)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    assert broken(2).admits(0.0, RULE)
    assert broken(3).state(0.0, RULE) == "open"
    assert not broken(3).admits(3.9, RULE)
    recovered = broken(2).finish(0.0, RULE, probe=False)
    assert broken(2, recovered).admits(0.0, RULE)


@pytest.mark.parametrize("failure", HARMLESS, ids=lambda failure: str(failure.code))
def test_it_does_not_count_what_is_not_the_targets_fault(failure: Failure) -> None:
    breaker = broken(2)
    assert breaker.fail(failure, 0.0, RULE, probe=False) == breaker


@pytest.mark.parametrize("code", [Code.upstream_auth, Code.upstream_quota, Code.upstream_malformed])
def test_it_counts_what_is(code: Code) -> None:
    breaker = broken(2).fail(UpstreamFailure(code), 0.0, RULE, probe=False)
    assert (breaker.state(0.0, RULE), breaker.code) == ("open", code)


def test_one_probe_at_a_time_and_its_failure_doubles_the_time_up_to_a_bound() -> None:
    breaker, now = broken(3), 0.0
    for seconds in [4, 8, 16, 32, 48, 48, 48]:
        now += seconds
        assert breaker.state(now - 0.1, RULE) == "open"
        assert breaker.state(now, RULE) == "half-open"
        breaker, probe = breaker.ask(now, RULE)
        assert probe
        assert not breaker.admits(now, RULE)
        assert breaker.leave(probe=False) == breaker
        assert breaker.leave(probe=True).admits(now, RULE)
        breaker = breaker.fail(BROKEN, now, RULE, probe=True)


def test_a_probe_that_begins_to_answer_lets_everybody_in_until_it_fails_all_the_same() -> None:
    breaker, probe = broken(3).ask(4.0, RULE)
    breaker = breaker.begin_answer(probe=probe)
    assert breaker.state(4.0, RULE) == "closed"
    assert breaker.finish(9.0, RULE, probe=False) == NEW
    again = breaker.fail(BROKEN, 9.0, RULE, probe=False)
    assert (again.state(16.9, RULE), again.state(17.0, RULE)) == ("open", "half-open")


def test_a_probe_that_answers_without_a_word_is_an_answer() -> None:
    breaker, probe = broken(3).ask(4.0, RULE)
    assert breaker.finish(4.0, RULE, probe=probe) == NEW


def test_what_was_asked_before_says_nothing_of_now() -> None:
    breaker = broken(3)
    assert breaker.finish(1.0, RULE, probe=False) == breaker
    late = broken(5, breaker, now=3.0)
    assert (late.until, late.openings) == (4.0, 1)


@given(st.integers(1, 86_400))
def test_a_target_that_asks_for_time_gets_it_within_reason(seconds: int) -> None:
    busy = UpstreamFailure(Code.upstream_rate_limited, retry_after=seconds)
    breaker = NEW.fail(busy, 10.0, RULE, probe=False)
    back = 10.0 + min(seconds, RULE.cap)
    assert not breaker.admits(back - 0.5, RULE)
    assert breaker.admits(back, RULE)
    assert not breaker.ask(back, RULE)[1]


def test_without_time_it_never_opens() -> None:
    never = Rule(failures=1, seconds=0.0)
    busy = UpstreamFailure(Code.upstream_rate_limited, retry_after=60)
    breaker = NEW.fail(busy, 0.0, never, probe=False).fail(BROKEN, 0.0, never, probe=False)
    assert breaker.state(0.0, never) == "closed"


class Calls(RuleBasedStateMachine):
    """Calls that begin where they are admitted and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.calls: list[bool] = []
        """Whether each call under way is a probe."""

    @rule(seconds=st.floats(0.0, 10.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.admits(self.now, RULE))
    @rule()
    def ask(self) -> None:
        self.breaker, probe = self.breaker.ask(self.now, RULE)
        self.calls.append(probe)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), failure=st.sampled_from([BROKEN, BROKEN, *HARMLESS]))
    def fail(self, data: st.DataObject, failure: Failure) -> None:
        self.breaker = self.breaker.fail(failure, self.now, RULE, probe=self._one(data))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self.breaker = self.breaker.finish(self.now, RULE, probe=self._one(data))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.breaker = self.breaker.leave(probe=self._one(data))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def begin_answer(self, data: st.DataObject) -> None:
        self.breaker = self.breaker.begin_answer(probe=self._one(data))
        self.calls.append(False)

    @invariant()
    def one_probe_at_a_time_and_none_is_forgotten(self) -> None:
        assert sum(self.calls) == self.breaker.probing

    @invariant()
    def it_comes_back(self) -> None:
        """Nobody is left alone for ever: once nothing is under way, the longest time is enough."""
        if not any(self.calls):
            assert self.breaker.admits(self.now + RULE.cap, RULE)

    def _one(self, data: st.DataObject) -> bool:
        return self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))


test_calls = Calls.TestCase
