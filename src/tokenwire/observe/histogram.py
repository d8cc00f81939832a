"""A histogram that costs a token next to nothing."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence


class Histogram:
    """Counts values below bounds. For one thread: the event loop's."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        """Of all values."""
        self.counts = [0] * (len(bounds) + 1)
        """How many values do not exceed each bound, but exceed the one before; at the end, those above all."""

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)

    def buckets(self) -> Iterator[tuple[str, int]]:
        """For each bound, as Prometheus writes it, how many values do not exceed it."""
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            total += count
            yield ("+Inf" if bound == float("inf") else repr(float(bound))), total
