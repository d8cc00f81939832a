"""Metrics and traces, as the rest of the server speaks to them. What is off is not on the way of a token."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.types import Scope, Send

from .. import events
from ..config import Config
from ..config.observe import Metrics as MetricsConfig
from ..config.observe import TracesTable
from ..errors import ConfigError, Failure
from ..providers.base import Answer, Prompt, Target
from ..routing.watch import UNWATCHED, AttemptWatch, RouterWatch, RunWatch
from ..runs.backend import Backend
from ..runs.log import Log, RunInfo
from ..runs.observer import Observer
from ..runs.outcome import Outcome
from ..runs.run import Run
from .metrics import Metrics
from .run_meter import RunMeter
from .store import TimedBackend

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from .scrape import Page
    from .traces import Traces

PEERS = "TOKENWIRE_METRICS_PEERS"
"""The environment variable by which workers know the folder where they meet."""

_Message = TypeVar("_Message")


class Telemetry:
    """Of one server. Raises :class:`ConfigError` where something is on whose extra is not installed."""

    def __init__(self, config: Config) -> None:
        self._metrics: Metrics | None = None
        self._traces: Traces | None = None
        self.page: Page | None = None
        """The metrics, where they are asked for at the main port."""
        self._serving: Page | None = None
        if config.metrics is not None:
            self._metrics = Metrics(config.models)
            self._serving = _page(config.metrics, self._metrics)
            self.page = self._serving if config.metrics.port is None else None
        if config.traces.enabled:
            self._traces = _traces(config.traces)

    @contextlib.asynccontextmanager
    async def serving(
        self, runs: Callable[[], int], listing: Callable[[], Iterable[Mapping[str, Any]]]
    ) -> AsyncIterator[None]:
        """Answers whoever asks for the metrics; :meth:`Metrics.look_at` has the rest. Raises :class:`ConfigError`."""
        if self._metrics is None or self._serving is None:
            yield
            return
        self._metrics.look_at(runs, listing)
        async with self._serving.serving():
            yield

    def request(self, scope: Scope, send: Send) -> contextlib.AbstractContextManager[Send]:
        """One request; gives what to send its answer with."""
        return contextlib.nullcontext(send) if self._traces is None else self._traces.request(scope, send)

    def observer(self, inner: Observer) -> Observer:
        """What the engine is to be watched by, beside ``inner``."""
        return inner if self._metrics is None else _MeteredObserver(inner, self._metrics)

    def backend(self, backend: Backend) -> Backend:
        """The store's backend, as it is to be used."""
        return backend if self._metrics is None else TimedBackend(backend, self._metrics.stored)

    @property
    def watch(self) -> RouterWatch:
        """What the router is to be watched by."""
        if self._metrics is None:
            return self._traces or UNWATCHED
        return _MeteredRouter(self._metrics, self._traces or UNWATCHED)

    def place(self) -> str:
        """Where in which trace the running code is, for :class:`RunInfo`; empty where nobody traces."""
        return self._traces.place() if self._traces is not None else ""

    def follow(self, log: Log, how: str) -> "Following | None":
        """Somebody begins to follow a run: because they ``ask``, ``join`` or ``resume``. ``None``: nobody looks on."""
        if self._metrics is None and (self._traces is None or how == "ask"):
            return None
        span = self._traces.resume(log, how) if self._traces is not None and how != "ask" else None
        return Following(log.key, how, self._metrics, span)


class Following:
    """One connection that follows a run, for as long as it does."""

    def __init__(self, key: str, how: str, metrics: Metrics | None, span: "Span | None") -> None:
        self._metrics = metrics
        self._span = span
        self._meter: RunMeter | None = None
        if metrics is not None:
            metrics.read(how)
            self._meter = metrics.meter(key)

    def watching(self, send: Callable[[_Message], Awaitable[None]]) -> Callable[[_Message], Awaitable[None]]:
        """The same ``send``, watched."""
        return send if self._meter is None else self._meter.watching(send)

    def close(self) -> None:
        """It does not follow any more."""
        if self._metrics is not None:
            self._metrics.readers -= 1
        if self._meter is not None:
            self._meter.count()  # the last of it was sent when the run had ended
        if self._span is not None:
            self._span.end()


class _MeteredObserver:
    def __init__(self, inner: Observer, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    def encoder(self, run: RunInfo) -> Callable[[events.Event], bytes]:
        return self._metrics.encoder(run, self._inner.encoder(run))

    def ended(self, outcome: Outcome) -> None:
        self._metrics.ended(outcome)
        self._inner.ended(outcome)

    async def close(self) -> None:
        await self._inner.close()


class _MeteredRouter:
    def __init__(self, metrics: Metrics, inner: RouterWatch) -> None:
        self._metrics = metrics
        self._inner = inner

    def begin(self, run: Run, model: str) -> RunWatch:
        return _MeteredRun(self._metrics, self._inner.begin(run, model), model)


class _MeteredRun:
    def __init__(self, metrics: Metrics, inner: RunWatch, model: str) -> None:
        self._metrics = metrics
        self._inner = inner
        self._model = model

    def ask(self, target: Target, prompt: Prompt) -> AttemptWatch:
        return _MeteredAttempt(self._metrics, self._inner.ask(target, prompt), self._model, target.provider)


class _MeteredAttempt:
    def __init__(self, metrics: Metrics, inner: AttemptWatch, model: str, provider: str) -> None:
        self._metrics = metrics
        self._inner = inner
        self._model = model
        self._provider = provider

    def begin_answer(self) -> None:
        self._inner.begin_answer()

    def finish(self, answer: Answer) -> None:
        self._metrics.attempted(self._model, self._provider, "ok")
        self._inner.finish(answer)

    def fail(self, failure: Failure, status: int) -> None:
        self._metrics.attempted(self._model, self._provider, failure.code)
        self._inner.fail(failure, status)

    def stop(self) -> None:
        self._metrics.attempted(self._model, self._provider, "stopped")
        self._inner.stop()


@contextlib.contextmanager
def workers_meet() -> Iterator[None]:
    """Gives the workers that are started within a folder where they find each other."""
    with tempfile.TemporaryDirectory(prefix="tokenwire-") as folder:
        os.environ[PEERS] = folder
        try:
            yield
        finally:
            del os.environ[PEERS]


def _page(config: MetricsConfig, metrics: Metrics) -> "Page":
    with _extra("metrics", "prometheus_client"):
        from .scrape import Page
    peers = os.environ.get(PEERS)
    return Page(config, metrics.families, Path(peers) if peers else None)


def _traces(config: TracesTable) -> "Traces":
    with _extra("otel", "opentelemetry"):
        from .traces import Traces
    return Traces(content=config.content)


@contextlib.contextmanager
def _extra(name: str, package: str) -> Iterator[None]:
    """What needs the extra ``name``. Raises :class:`ConfigError` where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise ConfigError(f'this needs the extra "{name}": pip install "tokenwire[{name}]"') from None
