"""What is granted, and how things stand then: one rule for every store."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from .claim import Budget, Claim, Rate, Slot, Standing, Verdict

CLOCK_STEP = 0.001
"""What a wait is rounded up by, so that it is over for the coarsest of the stores' clocks as well."""


class Usage(NamedTuple):
    """What is used of a claim's limit before it is granted."""

    used: float
    """Units; of slots, those that are held."""
    held: bool = False
    """Whether the slot's holder is among those who hold one."""
    free_in: float = math.inf
    """Seconds until one more may hold a slot, if nobody renews."""
    idle_in: float = 0.0
    """Seconds until nobody holds a slot, if nobody renews."""


def judge(claims: Sequence[Claim], usages: Sequence[Usage], now: float) -> Verdict:
    """The verdict about claims, each with what is used of it."""
    refused = next((n for n, pair in enumerate(zip(claims, usages, strict=True)) if not _fits(*pair)), None)
    standings = [_standing(*pair, now, taken=refused is None) for pair in zip(claims, usages, strict=True)]
    return Verdict(tuple(standings), refused)


def _needed(claim: Claim, usage: Usage) -> int:
    if isinstance(claim, Slot):
        return 0 if usage.held else 1
    return max(1, claim.cost) if isinstance(claim, Budget) else claim.cost


def _fits(claim: Claim, usage: Usage) -> bool:
    needed = _needed(claim, usage)
    return needed <= 0 or usage.used + needed <= claim.limit


def _standing(claim: Claim, usage: Usage, now: float, *, taken: bool) -> Standing:
    needed = _needed(claim, usage)
    spent = (needed if isinstance(claim, Slot) else claim.cost) if taken else 0
    used = max(0.0, usage.used + spent)
    if isinstance(claim, Rate):
        a_unit = claim.seconds / claim.limit if claim.limit else 0.0
        reset = min(used, 1 + used - math.ceil(used)) * a_unit
        wait = (usage.used + needed - claim.limit) * a_unit
    elif isinstance(claim, Slot):
        reset = max(usage.idle_in, claim.seconds if taken else 0.0)
        wait = usage.free_in
    else:
        reset = wait = max(0.0, claim.until - now)
    retry = 0.0
    if not _fits(claim, usage):
        retry = wait + CLOCK_STEP if needed <= claim.limit else math.inf
    remaining = max(0, math.floor(claim.limit - used))
    return Standing(claim.key, claim.limit, remaining, reset, retry)
