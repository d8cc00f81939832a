"""The generic cell rate algorithm, as a leaky bucket: a rate limit without windows.

No windows, so no burst of twice the limit at the edge of one. The bucket's level is kept in units, and not as the
moment at which it would be empty: whole units stay exact, however many of them a second is good for.
"""

from typing import NamedTuple

from .claim import Rate


class Flow(NamedTuple):
    """A bucket: what is in it, and when that was."""

    level: float
    at: float


def drained(flow: Flow, rate: Rate, now: float) -> Flow:
    """What is left of it at a moment, of a full bucket at most. One of a time to come begins to drain now."""
    elapsed = max(0.0, now - flow.at)
    return Flow(max(0.0, min(flow.level, rate.limit) - elapsed * rate.limit / rate.seconds), now)


def poured(flow: Flow, rate: Rate, now: float) -> Flow:
    """With ``rate.cost`` in it; what is beyond its rim is lost."""
    return Flow(max(0.0, drained(flow, rate, now).level + rate.cost), now)
