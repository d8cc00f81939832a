"""The figures that are shown, and what tokenwire may cost."""

import math
import statistics
from dataclasses import dataclass

from .stop import PATIENCE


@dataclass(frozen=True)
class Figure:
    """One measured quantity. `limit` is a budget in its own unit, `times_nginx` one in multiples of nginx's."""

    workload: str
    key: str
    title: str
    digits: int
    limit: float | None = None
    times_nginx: float | None = None
    relative: bool = True

    def show(self, value: float) -> str:
        return f"{value:.{self.digits}f}" if math.isfinite(value) else f"> {PATIENCE * 1000:.0f}"

    @property
    def budget(self) -> str:
        if self.times_nginx is not None:
            return f"{self.times_nginx:g} x nginx"
        return "" if self.limit is None else f"{self.limit:g}"

    def verdict(self, values: list[float], times_nginx: list[float]) -> str:
        """Whether the median over the repetitions keeps the budget; empty where nothing can be said."""
        measured, most = (values, self.limit) if self.times_nginx is None else (times_nginx, self.times_nginx)
        if most is None or not measured:
            return ""
        return "within" if statistics.median(measured) <= most else "over"


FIGURES = (
    Figure("M", "kib_per_stream", "KiB / stream", 1, limit=35),
    Figure("P", "cpu_us_per_token", "CPU µs / token", 1, times_nginx=3.2),
    Figure("P", "relay_ms_p50", "relay latency ms p50", 2),
    Figure("P", "relay_ms_p99", "relay latency ms p99", 1),
    Figure("B", "cpu_us_per_token", "CPU µs / token", 2, times_nginx=4),
    Figure("T", "cpu_ms_per_reply", "CPU ms / reply", 3, times_nginx=14),
    Figure("A", "hang_up_ms", "hang-up to upstream ms", 1, relative=False),
    Figure("A", "cancel_ms", "cancel to upstream ms", 1, limit=100),
)
