"""Whom to ask, and in which order. Pure."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..providers.base import Target
from .model import Choice


class Turn(NamedTuple):
    """A target that may still be asked the question."""

    choice: Choice
    asked: int = 0
    """How often it was asked the question before."""
    earliest: float = -math.inf
    """Not before this moment."""

    @property
    def target(self) -> Target:
        """Who is asked."""
        return self.choice.target


Plan = tuple[Turn, ...]
"""Those that may still be asked, in the order in which they are."""


def make_plan(choices: Sequence[Choice], random: Callable[[], float]) -> Plan:
    """Every target once: drawn by weight without replacement, then those of weight 0 as they stand.

    :param random: gives numbers from 0 up to but not including 1.
    """
    # each draws when it would be next if its weight were its rate: the first of many such clocks is fair by weight
    drawn = [(-math.log(1 - random()) / choice.weight, choice) for choice in choices if choice.weight]
    drawn.sort(key=lambda draw: draw[0])
    return tuple(Turn(choice) for choice in (*(choice for _, choice in drawn), *(c for c in choices if not c.weight)))


def next_turn(plan: Plan, now: float, admits: Callable[[Target, float], bool]) -> Turn | None:
    """The one that can be asked the soonest, the first of several.

    :param admits: whether a target may be asked at a moment, as far as is known.
    """
    turns = [turn for turn in plan if admits(turn.target, max(now, turn.earliest))]
    return min(turns, key=lambda turn: max(now, turn.earliest), default=None)
