"""What is asked of every contender, and how the answer is turned into figures."""

import resource
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import machine, resume, stop
from .process import ProcessTree
from .server import Server
from .upstream import Upstream
from .wire import Load, run_load

Figures = dict[str, float]

STEP = 0.00764  # the streams start this far apart, so that their clocks do not beat together


@dataclass(frozen=True)
class Workload:
    """A script of the upstream, and a measurement made against it."""

    summary: str
    measure: Callable[[Path, Upstream, Server], Figures]
    joins: bool = False
    """Whether it is for servers only whose replies can be joined."""


@dataclass(frozen=True)
class Streaming:
    """A load of equal replies, their tokens `interval` seconds apart (0: as fast as they are taken)."""

    load: Load
    interval: float

    def __call__(self, wire: Path, upstream: Upstream, server: Server) -> Figures:
        model = upstream.script(self.load.tokens, self.interval)
        if not self.paced:  # a paced load is long enough for its connections to the new upstream not to matter
            run_load(wire, server, Load(min(20, self.load.streams), 2, self.load.tokens))
        tree = server.service.tree
        resident = [tree.resident_kib()]
        cpu, others = tree.cpu_seconds(), _others_seconds(tree, model)
        figures = run_load(wire, server, self.load, lambda: resident.append(tree.resident_kib()))
        cpu, others = tree.cpu_seconds() - cpu, _others_seconds(tree, model) - others
        wall = figures["wall_s"]
        if self.paced:
            figures["pace_held"] = self.nominal_seconds / wall
        return figures | {
            "cpu_us_per_token": cpu / figures["tokens"] * 1e6,
            "cpu_ms_per_reply": cpu / figures["replies"] * 1e3,
            "kib_per_stream": (max(resident) - resident[0]) / self.load.streams,
            "other_cores": max(0.0, others / wall),
        }

    @property
    def paced(self) -> bool:
        return self.interval > 0

    @property
    def nominal_seconds(self) -> float:
        """How long the load lasts when the server keeps the pace."""
        return self.load.stagger + self.load.rounds * self.load.tokens * self.interval


@dataclass(frozen=True)
class FanOut:
    """What `readers` of each reply cost the server beside one. A token counts once, however many read it."""

    load: Load
    interval: float
    readers: int

    def __call__(self, wire: Path, upstream: Upstream, server: Server) -> Figures:
        alone = Streaming(self.load, self.interval)
        together = Streaming(replace(self.load, readers=self.readers), self.interval)
        # in this order, what else the machine does hits both, also where it changes steadily
        first, second, third, last = (measure(wire, upstream, server) for measure in (alone, together, together, alone))
        one = (first["cpu_us_per_token"] + last["cpu_us_per_token"]) / 2
        all_of_them = (second["cpu_us_per_token"] + third["cpu_us_per_token"]) / 2
        return third | {
            "alone_us_per_token": one,
            "together_us_per_token": all_of_them,
            "fan_out": all_of_them / one,
            "other_cores": max(figures["other_cores"] for figures in (first, second, third, last)),
            "pace_held": min(figures["pace_held"] for figures in (first, second, third, last)),
        }


def _others_seconds(server: ProcessTree, model: ProcessTree) -> float:
    """CPU time used on this machine by whatever has no part in the measurement."""
    load = resource.getrusage(resource.RUSAGE_CHILDREN)
    parts = server.cpu_seconds() + model.cpu_seconds() + load.ru_utime + load.ru_stime
    return machine.busy_seconds() - parts


WORKLOADS = {
    "M": Workload("500 streams, a token each 500 ms: memory", Streaming(Load(500, 1, 20, stagger=2.0), 0.5)),
    "P": Workload(
        "100 streams x 2 replies of 200 tokens, one each 20 ms",
        Streaming(Load(100, 2, 200, stagger=100 * STEP), 0.02),
    ),
    "B": Workload("20 streams x 10 replies of 200 tokens as fast as they come", Streaming(Load(20, 10, 200), 0)),
    "T": Workload("50 streams x 20 replies of one token: a request", Streaming(Load(50, 20, 1), 0)),
    "A": Workload("10 readers at once cancel, then 10 hang up, after 10 tokens", stop.measure),
    "F": Workload(
        "30 runs of 200 tokens, one each 20 ms, with 1 reader each, then with 10",
        FanOut(Load(30, 1, 200, stagger=30 * STEP), 0.02, readers=10),
        joins=True,
    ),
    "R": Workload(
        "300 readers come back, one after the other, to a run under way, and 300 join one that has ended",
        resume.measure,
        joins=True,
    ),
}
