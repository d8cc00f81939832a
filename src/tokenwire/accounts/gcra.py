"""The generic cell rate algorithm: a rate limit that is one number.

That number is the theoretical arrival time: the moment at which the flow so far would be used up at the steady rate.
No windows, so no burst of twice the limit at the edge of one.
"""

from typing import NamedTuple

from .claim import Rate


class Flow(NamedTuple):
    """What a claim does to a flow at a moment."""

    arrival: float
    """The theoretical arrival time after it: to be kept where it was granted."""
    granted: bool
    remaining: int
    reset: float
    retry: float


def claim(arrival: float | None, now: float, rate: Rate) -> Flow:
    """Asks a flow for ``rate.cost`` units. ``arrival`` is what was kept of it; ``None`` where nothing was.

    A cost above the limit is never granted. A negative cost gives back, never more than was taken.
    """
    interval = rate.seconds / rate.limit
    start = now if arrival is None else max(arrival, now)
    after = max(now, start + rate.cost * interval)
    room = now + rate.seconds
    # what is a rounding apart is not apart
    granted = after <= room + interval * 1e-6
    kept = after if granted else start
    retry = 0.0 if granted else after - room if rate.cost <= rate.limit else float("inf")
    return Flow(kept, granted, int((room - kept) / interval + 1e-6), kept - now, retry)
