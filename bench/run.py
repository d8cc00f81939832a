"""One run: every workload on every contender in turn, again and again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .contender import Contender
from .errors import MeasurementError
from .server import Server
from .upstream import Upstream
from .wire import Load, run_load
from .workload import WORKLOADS, Figures


@dataclass(frozen=True)
class Sample:
    """One contender in one workload of one repetition; figures only of a load served without a fault."""

    repetition: int
    contender: str
    workload: str
    figures: Figures = field(default_factory=dict)
    problem: str = ""


def run(contenders: Sequence[Contender], workloads: Sequence[str], repetitions: int, wire: Path) -> Iterator[Sample]:
    """Fresh servers in each repetition; one workload goes round all of them before the next begins.

    So the figures that are set against each other are made within a minute, and the order of the contenders
    changes from one repetition to the next.
    """
    with Upstream(wire) as upstream:
        for repetition in range(1, repetitions + 1):
            turn = repetition % len(contenders)
            with ExitStack() as stack:
                servers = []
                for contender in (*contenders[turn:], *contenders[:turn]):
                    server = stack.enter_context(Server(contender, upstream.port))
                    try:
                        _warm_up(wire, upstream, server)
                        servers.append(server)
                    except MeasurementError as error:
                        yield _problem(repetition, "start", server, error)
                for workload in workloads:
                    for server in servers:
                        if WORKLOADS[workload].joins and not server.contender.join:
                            continue
                        yield _sample(repetition, workload, wire, upstream, server)


def _warm_up(wire: Path, upstream: Upstream, server: Server) -> None:
    upstream.script(tokens=200, interval=0)
    server.service.wait_until_listening()
    deadline = time.monotonic() + 10
    while True:
        try:
            run_load(wire, server, Load(10, 3, 200))
            return
        except MeasurementError:  # a server may listen before it serves
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _sample(repetition: int, workload: str, wire: Path, upstream: Upstream, server: Server) -> Sample:
    try:
        figures = WORKLOADS[workload].measure(wire, upstream, server)
    except MeasurementError as error:
        return _problem(repetition, workload, server, error)
    return Sample(repetition, server.contender.name, workload, figures)


def _problem(repetition: int, workload: str, server: Server, error: MeasurementError) -> Sample:
    text = f"{error}; the end of its log: {server.service.last_words()}"
    return Sample(repetition, server.contender.name, workload, problem=text)
