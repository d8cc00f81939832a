"""What is said about the samples beside the table."""

import dataclasses
import json
import math
import statistics
from collections.abc import Sequence

from . import machine
from .figure import FIGURES
from .run import Sample


def line(sample: Sample) -> str:
    """One sample as a line of progress."""
    shown = [
        f"{figure.title} {figure.show(sample.figures[figure.key])}"
        for figure in FIGURES
        if figure.workload == sample.workload and figure.key in sample.figures
    ]
    heading = f"repetition {sample.repetition}  {sample.workload:<5}  {sample.contender:<20}"
    return heading + (sample.problem or ", ".join(shown))


def notes(samples: Sequence[Sample]) -> str:
    """The machine, how quiet it was, and whatever did not go as it should."""
    about = ", ".join(f"{name} {text}" for name, text in machine.describe().items())
    lines = [f"Repetitions {max(s.repetition for s in samples)}; {about}."]
    others = [s.figures["other_cores"] for s in samples if "other_cores" in s.figures]
    if others:
        median, most = statistics.median(others), max(others)
        lines.append(f"Other work on the machine meanwhile: {median:.2f} cores, at most {most:.2f}.")
    lines += [
        f"Pace not held: {line(s)}, at {s.figures['pace_held']:.0%} of it: the latency is a queue's."
        for s in samples
        if s.figures.get("pace_held", 1) < 0.95
    ]
    lines += [f"Not measured: {line(s)}" for s in samples if s.problem]
    return "\n".join(lines)


def as_json(samples: Sequence[Sample]) -> str:
    """Every figure of every sample; null where the model's side saw nothing in time."""
    rows = [dataclasses.asdict(sample) for sample in samples]
    for row in rows:
        row["figures"] = {k: v if math.isfinite(v) else None for k, v in row["figures"].items()}
    return json.dumps({"machine": machine.describe(), "samples": rows}, indent=1) + "\n"
