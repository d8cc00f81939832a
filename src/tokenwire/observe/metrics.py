"""What one process counts, for Prometheus. Nothing here needs its package: :mod:`.exposition` writes it down."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from weakref import WeakSet, WeakValueDictionary

import msgspec

from .. import events
from ..runs.log import RunInfo
from ..runs.outcome import Outcome
from . import limits
from .histogram import Histogram
from .run_meter import RunMeter

Kind = Literal["counter", "gauge", "histogram"]

_FIRST_TOKEN = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_GAP = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_RELAY = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
_STORE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_RUN = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 600.0)

TIMED = 8
"""Runs at a time that are timed piece by piece; of the others, the first piece is. So many say what all of a busy
server's would, and the others' tokens cost next to nothing."""
_OTHER = "other"
"""Stands for a model that no table names: an agent may say anything, and each name is a series."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """A number. ``suffix`` follows the family's name."""

    suffix: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric, as it goes from one worker to another."""

    name: str
    kind: Kind
    help: str
    samples: list[Sample]


class Metrics:
    """The counts of this process. Everything happens in the event loop.

    :param models: the names that may stand in a label.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self._models = frozenset(models)
        self._meters: WeakValueDictionary[str, RunMeter] = WeakValueDictionary()
        self._timed: WeakSet[RunMeter] = WeakSet()
        self._runs: Callable[[], int] = lambda: 0
        self._listing: Callable[[], Iterable[Mapping[str, Any]]] = list
        self.readers = 0
        """Connections that follow a run at this moment."""
        self._started: Counter[tuple[str]] = Counter()
        self._ended: Counter[tuple[str, str, str, str]] = Counter()
        self._attempts: Counter[tuple[str, str, str]] = Counter()
        self._reads: Counter[tuple[str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._saved = 0
        self._gap = Histogram(_GAP)
        self._relay = Histogram(_RELAY)
        self._first_token: dict[tuple[str], Histogram] = {}
        self._duration: dict[tuple[str], Histogram] = {}
        self._store: dict[tuple[str], Histogram] = {}

    def look_at(self, runs: Callable[[], int], listing: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """What is not counted, but looked at when somebody asks: runs under way, and what is said of each model."""
        self._runs = runs
        self._listing = listing

    def encoder(self, run: RunInfo, encode: Callable[[events.Event], bytes]) -> Callable[[events.Event], bytes]:
        """A run begins: what makes its records."""
        self._started[(run.wire,)] += 1
        meter = self._meters[run.key] = RunMeter(encode, self._gap, self._relay)
        if len(self._timed) >= TIMED:
            return meter.encode_until_first
        self._timed.add(meter)
        return meter.encode

    def ended(self, outcome: Outcome) -> None:
        """A run has ended."""
        meter = self._meters.pop(outcome.run.key, None)
        model = self._known(outcome.model)
        self._ended[(outcome.kind, outcome.code or "", outcome.run.wire, model)] += 1
        if meter is not None:
            meter.count()
            self._timed.discard(meter)
        if meter is not None and meter.first_token is not None:
            self._first_token.setdefault((model,), Histogram(_FIRST_TOKEN)).observe(meter.first_token)
        if outcome.started is not None:
            seconds = (outcome.ended - outcome.started).total_seconds()
            self._duration.setdefault((model,), Histogram(_RUN)).observe(seconds)
        if outcome.usage is not None:
            self._tokens[("input", model)] += outcome.usage.prompt_tokens or 0
            self._tokens[("output", model)] += outcome.usage.completion_tokens or 0
        self._saved += outcome.saved or 0

    def attempted(self, model: str, provider: str, result: str) -> None:
        """A model was asked somewhere; ``result`` is ``ok``, ``stopped`` or a code."""
        self._attempts[(self._known(model), provider, result)] += 1

    def read(self, how: str) -> None:
        """Somebody begins to follow a run."""
        self._reads[(how,)] += 1
        self.readers += 1

    def meter(self, key: str) -> RunMeter | None:
        """That of a run which is under way here, and timed piece by piece."""
        meter = self._meters.get(key)
        return meter if meter in self._timed else None

    def stored(self, operation: str, seconds: float) -> None:
        """The store has done something, or has failed to."""
        self._store.setdefault((operation,), Histogram(_STORE)).observe(seconds)

    def families(self) -> list[Family]:
        """Everything, as it is now."""
        for meter in self._meters.values():
            meter.count()
        families = [
            _counted("runs_started", "Runs that were begun", ("wire",), self._started),
            _counted("runs_ended", "Runs by how they ended", ("outcome", "code", "wire", "model"), self._ended),
            _counted("attempts", "Questions to a provider, by result", ("model", "provider", "result"), self._attempts),
            _counted("reads", "Followers of runs: ask, join, resume", ("how",), self._reads),
            _counted("tokens", "Tokens as providers reported them", ("direction", "model"), self._tokens),
            _counted("tokens_saved", "Tokens at most that early ends have spared", (), {(): self._saved}),
            _counted("limits_hit", "Refusals by a limit", ("kind",), {(kind,): n for kind, n in limits.hits.items()}),
            _gauge("readers", "Connections that follow a run", (), {(): self.readers}),
            _timed("token_gap", "Between two pieces of an answer", (), {(): self._gap}),
            _timed("relay_delay", "From the upstream's bytes to the send", (), {(): self._relay}),
            _timed("first_token", "From a run's start to the first piece", ("model",), self._first_token),
            _timed("run_duration", "From a run's start to its end", ("model",), self._duration),
            _timed("store", "The store's operations", ("operation",), self._store),
        ]
        return [*families, *self._looked_at()]

    def _looked_at(self) -> list[Family]:
        targets: Counter[tuple[str, str, str]] = Counter()
        for model in self._listing():
            for target in model["targets"]:
                targets[(model["name"], target["provider"], target["status"])] += 1
        return [
            _gauge("runs", "Runs under way", (), {(): self._runs()}),
            _gauge("targets", "Targets by what their breaker says", ("model", "provider", "status"), targets),
        ]

    def _known(self, model: str | None) -> str:
        return "" if model is None else model if model in self._models else _OTHER


def _counted(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Family:
    return Family(f"tokenwire_{name}", "counter", about, _samples("_total", labels, values))


def _gauge(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Family:
    return Family(f"tokenwire_{name}", "gauge", about, _samples("", labels, values))


def _timed(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, Histogram]) -> Family:
    samples = []
    for key, histogram in tuple(values.items()):
        named = dict(zip(labels, key, strict=True))
        samples += [Sample("_bucket", {**named, "le": bound}, count) for bound, count in histogram.buckets()]
        samples += [Sample("_count", named, histogram.count), Sample("_sum", named, histogram.sum)]
    return Family(f"tokenwire_{name}_seconds", "histogram", f"{about}, in seconds", samples)


def _samples(suffix: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> list[Sample]:
    return [Sample(suffix, dict(zip(labels, key, strict=True)), value) for key, value in tuple(values.items())]
