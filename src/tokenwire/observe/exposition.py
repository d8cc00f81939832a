"""Metrics as Prometheus reads them (extra ``metrics``)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from .metrics import Family


def exposition(workers: Mapping[str, Sequence[Family]], accept: str) -> tuple[str, bytes]:
    """Content type and text of what all workers count, in the format that the asker prefers.

    Each sample names its worker. A sum would not do: it falls when a worker ends, and Prometheus takes whatever falls
    for a counter that began again at zero.
    """
    registry = CollectorRegistry()
    registry.register(_Workers(workers))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


class _Workers(Collector):
    def __init__(self, workers: Mapping[str, Sequence[Family]]) -> None:
        self._workers = workers

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        metrics: dict[str, Metric] = {}
        for worker, families in sorted(self._workers.items()):
            for family in families:
                metric = metrics.setdefault(family.name, Metric(family.name, family.help, family.kind))
                for sample in family.samples:
                    metric.add_sample(
                        f"{family.name}{sample.suffix}", {**sample.labels, "worker": worker}, sample.value
                    )
        yield from metrics.values()
