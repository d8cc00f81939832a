"""The health of every target, as far as this process has seen it."""

import logging
import math
from collections.abc import Sequence
from typing import Literal

from ..errors import Failure, UpstreamFailure
from ..providers.base import Target
from .breaker import Breaker, Rule

logger = logging.getLogger("tokenwire.routing")

Status = Literal["ok", "degraded", "down"]

_MOST = 10_000
"""Targets that are not as they should be: keys that clients bring are without number, and each is a target's own."""

_STATUSES: dict[str, Status] = {"closed": "ok", "half-open": "degraded", "open": "down"}


class Health:
    """A circuit breaker for each target: for a model at a provider, whichever of our models it stands in."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._breakers: dict[tuple[str, str, str, int], Breaker] = {}

    def admits(self, target: Target, now: float) -> bool:
        """Whether it may be asked at a moment, as far as is known."""
        return self._of(target).admits(now, self._rule)

    def ask(self, target: Target, now: float) -> bool:
        """It is asked: whether to see if it is back."""
        breaker, probe = self._of(target).ask(now, self._rule)
        if probe:
            logger.info("%s is asked to see whether it answers again", label(target))
        self._note(target, breaker)
        return probe

    def begin_answer(self, target: Target, *, probe: bool) -> None:
        """It begins to answer."""
        if probe:
            logger.info("%s answers again", label(target))
        self._note(target, self._of(target).begin_answer(probe=probe))

    def finish(self, target: Target, now: float, *, probe: bool) -> None:
        """It has answered to the end."""
        self._note(target, self._of(target).finish(now, self._rule, probe=probe))

    def leave(self, target: Target, *, probe: bool) -> None:
        """It was asked, and nobody waited for its answer."""
        self._note(target, self._of(target).leave(probe=probe))

    def fail(self, target: Target, failure: Failure, now: float, *, probe: bool) -> None:
        """It has failed."""
        before = self._of(target)
        after = before.fail(failure, now, self._rule, probe=probe)
        self._note(target, after)
        if after.until is not None and after.until != before.until:
            logger.warning(
                "%s is left alone for %.3g s after %d failures in a row, the last %s",
                label(target),
                after.until - now,
                after.failures,
                after.code,
            )

    def status(self, target: Target, now: float) -> Status:
        """``ok``, ``down`` while nobody asks it, or ``degraded`` while it is seen whether it is back."""
        return _STATUSES[self._of(target).state(now, self._rule)]

    def refusal(self, targets: Sequence[Target], now: float) -> UpstreamFailure:
        """What is told where none of the targets may be asked: of the one that may be soonest, its last failure."""
        breakers = [self._of(target) for target in targets]
        soonest = min(breakers, key=lambda breaker: breaker.until or now)
        wait = max(1, math.ceil((soonest.until or now) - now))
        return UpstreamFailure(soonest.code, detail="every target is left alone for now", retry_after=wait)

    def _note(self, target: Target, breaker: Breaker) -> None:
        well = breaker == _HEALTHY
        if well and not self._breakers:
            return
        place = _place(target)
        self._breakers.pop(place, None)  # the one noted last is the last to be forgotten
        if not well:
            self._breakers[place] = breaker
            if len(self._breakers) > _MOST:
                del self._breakers[next(iter(self._breakers))]

    def _of(self, target: Target) -> Breaker:
        # on most days all of them are well, and a question pays for no place
        return self._breakers.get(_place(target), _HEALTHY) if self._breakers else _HEALTHY


_HEALTHY = Breaker()


def label(target: Target) -> str:
    """A target in the log."""
    return f"{target.provider}/{target.model}"


def _place(target: Target) -> tuple[str, str, str, int]:
    # two accounts at one provider have limits of their own; the hash does not show a key
    return target.provider, target.base_url, target.model, hash(target.key.reveal()) if target.key else 0
