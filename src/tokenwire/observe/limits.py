"""How often somebody was told that it was too much."""

from collections import Counter

hits: Counter[str] = Counter()
"""By kind, since this process began."""


def limits_hit(kind: str) -> None:
    """A limit has refused something. ``kind`` is one of a few words of ours, never a client's."""
    hits[kind] += 1
