"""What a request asks of the accounts, and what they say to it.

Three kinds of limits, each with a name (``key``) that says whose it is and of what: ``requests:key:tw_ab12``. All
amounts are whole numbers: requests, tokens, or millionths of a dollar. A limit of nothing grants nothing.
"""

from typing import NamedTuple


class Rate(NamedTuple):
    """So many units in so many seconds, as a steady flow with a burst of all of them (GCRA).

    A cost of nothing is always granted: it only asks. What is settled beyond the limit is a debt of one period at most.
    """

    key: str
    limit: int
    seconds: float
    cost: int = 1


class Slot(NamedTuple):
    """One of so many that may be held at a time. It is let go of by itself unless its holder renews it in time."""

    key: str
    limit: int
    holder: str
    seconds: float


class Budget(NamedTuple):
    """So many units in a period that ends at a moment (Unix time), after which nobody asks for them again.

    One that is used up grants not even what costs nothing yet.
    """

    key: str
    limit: int
    until: float
    cost: int = 0


Claim = Rate | Slot | Budget


class Standing(NamedTuple):
    """How things stand with a claim after its set was granted or refused."""

    key: str
    limit: int
    remaining: int
    """Units that may still be taken at once; never negative."""
    reset: float
    """Seconds until more can be had: of a rate one unit, of a budget all, of slots all as well, if nobody renews."""
    retry: float
    """Seconds after which the same claim may be granted; 0 where nothing is against it, infinite where it never is."""


class Verdict(NamedTuple):
    """The answer to several claims at once: all of them are granted, or nothing is taken."""

    standings: tuple[Standing, ...]
    """In the order of the claims."""
    refused: int | None = None
    """The first claim that was not granted."""
