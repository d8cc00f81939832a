"""The dashboard and the page speak of metrics that exist, with labels that they have, and leave none out."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokenwire import events
from tokenwire.observe.limits import hits
from tokenwire.observe.metrics import Metrics
from tokenwire.runs.log import RunInfo
from tokenwire.runs.outcome import Outcome

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "observing.md").read_text()
PANELS = json.loads((DOCS / "grafana" / "tokenwire.json").read_text())["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


@pytest.fixture(scope="module")
def series() -> Iterator[dict[str, set[str]]]:
    """The labels of every sample, after something of everything has happened."""

    async def records() -> tuple[bytes, ...]:
        return ()

    run, now = RunInfo("", "t", "r", "rais"), datetime.now(UTC)
    metrics = Metrics(["fast"])
    metrics.look_at(lambda: 1, lambda: [{"name": "fast", "targets": [{"provider": "p", "status": "ok"}]}])
    encode = metrics.encoder(run, events.encode)
    encode(events.TextMessageContent("m", "a"))
    usage = events.Usage(prompt_tokens=1, completion_tokens=1)
    metrics.ended(Outcome(run=run, kind="finished", model="fast", usage=usage, started=now, ended=now, records=records))
    metrics.attempted("fast", "p", "ok")
    metrics.read("ask")
    metrics.stored("write", 0.1)
    hits["of-a-test"] += 1
    yield {
        f"{family.name}{sample.suffix}": {*sample.labels, "worker"}
        for family in metrics.families()
        for sample in family.samples
    }
    del hits["of-a-test"]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_what_exists(query: str, series: dict[str, set[str]]) -> None:
    named = re.findall(r"tokenwire_\w+", query)
    assert named
    assert set(named) <= set(series)
    grouped = [label.strip() for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(",")]
    selected = re.findall(r'(\w+)(?:!=|=~|=)"', query)
    of_prometheus = {"instance"}
    assert {*grouped, *selected} - of_prometheus <= set.union(*(series[name] for name in named))


def test_the_dashboard_leaves_nothing_out(series: dict[str, set[str]]) -> None:
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in series}
    shown = {re.sub(r"_bucket$", "", name) for query in QUERIES for name in re.findall(r"tokenwire_\w+", query)}
    assert shown == families


def test_nor_does_the_page(series: dict[str, set[str]]) -> None:
    rows = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(tokenwire_\w+)` \|([^|]*)\|", PAGE, re.M)
    }
    families = {re.sub(r"_(bucket|count|sum)$", "", name): labels - {"worker", "le"} for name, labels in series.items()}
    assert rows == families


def test_panels_do_not_lie_on_each_other() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
