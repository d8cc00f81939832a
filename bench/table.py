"""The samples of a run as one table."""

import math
import statistics
from collections.abc import Callable, Sequence

from .contender import Contender
from .figure import FIGURES, Figure
from .run import Sample

HEADINGS = ("", "figure", "contender", "median", "range", "x", "range", "of", "budget", "")


class Table:
    """Medians and ranges over the repetitions, and whether each budget was kept."""

    def __init__(self, samples: Sequence[Sample], contenders: Sequence[Contender]) -> None:
        self._values = {
            (figure, contender.name): {
                sample.repetition: sample.figures[figure.key]
                for sample in samples
                if sample.contender == contender.name
                and sample.workload == figure.workload
                and figure.key in sample.figures
            }
            for figure in FIGURES
            for contender in contenders
        }
        self._rows = [row for figure in FIGURES for contender in contenders if (row := self._row(figure, contender))]

    @property
    def over_budget(self) -> bool:
        return any(row[-1] == "over" for row in self._rows)

    def __str__(self) -> str:
        """Markdown that also reads well as it is."""
        rows = [list(HEADINGS), *self._rows]
        widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(HEADINGS))]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
        lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
        return "\n".join(lines)

    def _row(self, figure: Figure, contender: Contender) -> list[str] | None:
        own = self._values[figure, contender.name]
        if not own:
            return None
        # Each repetition is set against the yardstick of the same minute: other work on the machine hit both.
        yardstick = self._values.get((figure, contender.yardstick), {}) if figure.relative else {}
        ratios = [value / yardstick[n] for n, value in own.items() if n in yardstick and math.isfinite(value)]
        row = [figure.workload, figure.title, contender.name]
        row += _median_and_range([*own.values()], figure.show) + _median_and_range(ratios, "{:.2f}".format)
        row.append(contender.yardstick if ratios else "")
        budget = figure.budgets.get(contender.name)
        return row + ([str(budget), budget.verdict(own, yardstick)] if budget else ["", ""])


def _median_and_range(values: list[float], show: Callable[[float], str]) -> list[str]:
    if not values:
        return ["", ""]
    return [show(statistics.median(values)), f"{show(min(values))} - {show(max(values))}"]
