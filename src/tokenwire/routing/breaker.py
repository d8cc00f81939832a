"""A circuit breaker: leaves a target alone that keeps failing. Pure.

::

              failures in a row            its time is over
    closed ─────────────────────> open ─────────────────────> half-open
      ^                            ^                             │ one probe at a time
      │                            └── the probe fails: longer ──┤
      └──────────────────────────── the probe begins to answer ──┘

While it is not closed only the probe's word counts: what was asked before says nothing of now.
"""

from typing import Literal, NamedTuple

from ..errors import Code, Failure, UpstreamFailure

State = Literal["closed", "open", "half-open"]

_NOT_ITS_FAULT = frozenset(
    {Code.upstream_rejected, Code.context_too_long, Code.content_filtered, Code.unsupported_content}
)
_CAP = 12


class Rule(NamedTuple):
    """When it opens, and for how long."""

    failures: int = 5
    """In a row."""
    seconds: float = 5.0
    """The first time; twice as long each time after that. With 0 it never opens."""

    @property
    def cap(self) -> float:
        """The longest that a target is left alone, whatever it says itself."""
        return _CAP * self.seconds


class Breaker(NamedTuple):
    """What is known of one target's health. ``probe`` is what :meth:`ask` gave to the call that is spoken of."""

    failures: int = 0
    """In a row."""
    openings: int = 0
    """Since an answer of it was complete."""
    until: float | None = None
    """Nobody asks before this moment."""
    probing: bool = False
    """Whether somebody is asking to see whether it is back."""
    code: Code = Code.upstream_unavailable
    """Of its last failure."""

    def state(self, now: float, rule: Rule) -> State:
        """At a moment. One that has merely asked for a pause closes by itself."""
        if self.until is None:
            return "closed"
        if now < self.until:
            return "open"
        return "half-open" if self.failures >= rule.failures else "closed"

    def admits(self, now: float, rule: Rule) -> bool:
        """Whether it may be asked at a moment."""
        state = self.state(now, rule)
        return state == "closed" or (state == "half-open" and not self.probing)

    def ask(self, now: float, rule: Rule) -> tuple["Breaker", bool]:
        """The breaker once it is asked, where it may be, and whether that is a probe."""
        if self.state(now, rule) != "half-open":
            return self, False
        return self._replace(probing=True), True

    def begin_answer(self, *, probe: bool) -> "Breaker":
        """It begins to answer. After a probe that closes it, on the first failure's notice."""
        return self._replace(until=None, probing=False) if probe else self

    def finish(self, now: float, rule: Rule, *, probe: bool) -> "Breaker":
        """It has answered to the end."""
        return Breaker() if probe or self.state(now, rule) == "closed" else self

    def leave(self, *, probe: bool) -> "Breaker":
        """The call ended without saying anything of its health."""
        return self._replace(probing=False) if probe else self

    def fail(self, failure: Failure, now: float, rule: Rule, *, probe: bool) -> "Breaker":
        """It has failed, before or in the midst of an answer."""
        if failure.code in _NOT_ITS_FAULT or not isinstance(failure, UpstreamFailure):
            return self.leave(probe=probe)
        failed = self._replace(failures=self.failures + 1, code=failure.code)
        if not probe and self.state(now, rule) != "closed":
            return failed
        pause = float(failure.retry_after or 0)
        if failed.failures >= rule.failures:
            pause = max(pause, rule.seconds * 2.0 ** min(self.openings, 10))
            failed = failed._replace(openings=self.openings + 1)
        pause = min(pause, rule.cap)
        return failed._replace(until=now + pause if pause else None, probing=False)
