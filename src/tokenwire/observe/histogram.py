"""A histogram."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence


class Histogram:
    """Counts values below bounds. For one thread: the event loop's."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        """One more."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def observe_all(self, values: Iterable[float]) -> None:
        """These, too."""
        bounds, counts = self.bounds, self._counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            self.sum += value

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._counts)

    def buckets(self) -> Iterator[tuple[str, int]]:
        """For each bound, as Prometheus writes it, how many values do not exceed it."""
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), self._counts, strict=True):
            total += count
            yield ("+Inf" if bound == float("inf") else repr(float(bound))), total
