"""What came of it, counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tokenwire.testing import Finding, Wrong

_EXAMPLES = 3


class Outcome(NamedTuple):
    """What came of one trial."""

    faults: int
    findings: Sequence[Finding]
    after_death: float = 0.0
    """Seconds from a server's death until the last reader had the end."""


@dataclass
class Tally:
    """The outcomes of one scenario's trials."""

    scenario: str
    trials: int = 0
    faults: int = 0
    wrong: Counter[Wrong] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    """How to reproduce the first that went wrong."""
    note: str = ""
    """Why it did not run, or not to its end."""
    crashed: bool = False
    seconds: float = 0.0
    after_death: float = 0.0
    """The longest of all trials."""

    def add(self, case: object, outcome: Outcome) -> None:
        """Counts a trial; several findings of a kind in it are one."""
        self.trials += 1
        self.faults += outcome.faults
        self.after_death = max(self.after_death, outcome.after_death)
        self.wrong.update({finding.wrong for finding in outcome.findings})
        if outcome.findings and len(self.examples) < _EXAMPLES:
            found = "; ".join(f"{finding.wrong}: {finding.detail}" for finding in outcome.findings[:3])
            self.examples.append(f"{case}: {found}")

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return not self.crashed and not self.wrong


def table(tallies: Sequence[Tally]) -> str:
    """One line a scenario, and one for all of them; below, how to reproduce what went wrong."""
    heads = ["scenario", "trials", "faults", *map(str, Wrong), "seconds", "death to end"]
    rows = [[tally.scenario, *_figures(tally), tally.note] for tally in tallies]
    total = Tally("all", sum(each.trials for each in tallies), sum(each.faults for each in tallies))
    for tally in tallies:
        total.wrong.update(tally.wrong)
        total.seconds += tally.seconds
        total.after_death = max(total.after_death, tally.after_death)
    rows.append([total.scenario, *_figures(total), ""])
    widths = [max(map(len, column)) for column in zip(*[[*heads, ""], *rows], strict=True)][: len(heads)]
    lines = [_line(heads, widths), _line(["-" * width for width in widths], widths)]
    lines += [f"{_line(row[:-1], widths)} {row[-1]}".rstrip() for row in rows]
    lines += [f"{tally.scenario}: {example}" for tally in tallies for example in tally.examples]
    return "\n".join(lines)


def _figures(tally: Tally) -> list[str]:
    return [
        f"{tally.trials:,}",
        f"{tally.faults:,}",
        *(f"{tally.wrong[kind]:,}" for kind in Wrong),
        f"{tally.seconds:.0f}",
        f"{tally.after_death:.1f} s" if tally.after_death else "",
    ]


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])
