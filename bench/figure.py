"""The figures that are shown, and what tokenwire may cost."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from .contender import BUILT_IN, NGINX, REDIS, STORES
from .stop import PATIENCE

ByRepetition = Mapping[int, float]


@dataclass(frozen=True)
class Budget:
    """At most so many `times` the yardstick's figure, and `plus` in the figure's own unit."""

    plus: float = 0
    times: float = 0

    def __str__(self) -> str:
        if not self.times:
            return f"{self.plus:g}"
        return f"{self.times:g} x" + (f" + {self.plus:g}" if self.plus else "")

    def verdict(self, own: ByRepetition, yardstick: ByRepetition) -> str:
        """Whether the median over the repetitions keeps it; empty where nothing can be said."""
        bases = yardstick if self.times else dict.fromkeys(own, 0.0)
        shares = [value / (self.times * bases[n] + self.plus) for n, value in own.items() if n in bases]
        if not shares:
            return ""
        return "within" if statistics.median(shares) <= 1 else "over"


@dataclass(frozen=True)
class Figure:
    """One measured quantity. `budgets` go by the contenders' names."""

    workload: str
    key: str
    title: str
    digits: int
    budgets: Mapping[str, Budget] = field(default_factory=dict, hash=False)
    relative: bool = True
    """Whether it says something as a multiple of the yardstick's."""

    def show(self, value: float) -> str:
        return f"{value:.{self.digits}f}" if math.isfinite(value) else f"> {PATIENCE * 1000:.0f}"


_IN_MEMORY = [contender.name for contender in BUILT_IN if contender is not NGINX]
_STORES = [contender.name for contender in STORES]


def _budgets(memory: Budget | None = None, stores: Budget | None = None) -> dict[str, Budget]:
    """For tokenwire with its log in memory, as every client sees it, and for every store."""
    bound = [(name, memory) for name in _IN_MEMORY] + [(name, stores) for name in _STORES]
    return {name: budget for name, budget in bound if budget}


FIGURES = (
    Figure("M", "kib_per_stream", "KiB / stream", 1, _budgets(Budget(35))),
    Figure("P", "cpu_us_per_token", "CPU µs / token", 1, _budgets(Budget(times=3.2)) | {REDIS.name: Budget(times=2)}),
    Figure("P", "relay_ms_p50", "relay latency ms p50", 2, {REDIS.name: Budget(1, times=1)}),
    Figure("P", "relay_ms_p99", "relay latency ms p99", 1),
    Figure("B", "cpu_us_per_token", "CPU µs / token", 2, _budgets(Budget(times=4))),
    Figure("T", "cpu_ms_per_reply", "CPU ms / reply", 3, _budgets(Budget(times=14))),
    Figure("A", "hang_up_ms", "hang-up to upstream ms", 1, relative=False),
    Figure("A", "cancel_ms", "cancel to upstream ms", 1, _budgets(Budget(100))),
    Figure("F", "alone_us_per_token", "1 reader: CPU µs / token", 1),
    Figure("F", "together_us_per_token", "10 readers: CPU µs / token", 1),
    Figure("F", "fan_out", "10 readers / 1 reader", 2, _budgets(Budget(2), Budget(2)), relative=False),
    Figure("F", "relay_ms_p50", "who asked: latency ms p50", 2),
    Figure("F", "joined_ms_p50", "who joined: latency ms p50", 1),
    Figure("F", "joined_ms_p99", "who joined: latency ms p99", 1),
    Figure("R", "resume_ms_p50", "resume ms p50", 2),
    Figure("R", "resume_ms_p99", "resume ms p99", 2, _budgets(Budget(5), Budget(10))),
    Figure("R", "join_ms_p50", "join ms p50", 2),
    Figure("R", "join_ms_p99", "join ms p99", 2, _budgets(Budget(5), Budget(10))),
)
