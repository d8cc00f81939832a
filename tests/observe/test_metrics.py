"""What is counted is what happened."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tokenwire import events
from tokenwire.observe import limits, run_meter
from tokenwire.observe.exposition import exposition
from tokenwire.observe.histogram import Histogram
from tokenwire.observe.limits import limits_hit
from tokenwire.observe.metrics import TIMED, Metrics
from tokenwire.observe.telemetry import Following
from tokenwire.runs.log import RunInfo
from tokenwire.runs.outcome import Outcome

RUN = RunInfo("alice", "t", "r", "rais")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(run_meter, "time", clock)
    return clock


@pytest.fixture
def counted(clock: Clock) -> Metrics:
    return Metrics(["fast"])


def outcome(model: str | None = "fast", saved: int | None = None, usage: events.Usage | None = None) -> Outcome:
    async def records() -> Sequence[bytes]:
        return ()

    return Outcome(
        run=RUN,
        kind="finished",
        model=model,
        usage=usage,
        saved=saved,
        started=BEGAN,
        ended=BEGAN + timedelta(seconds=3),
        records=records,
    )


def said(counted: Metrics, worker: str = "1") -> dict[str, float]:
    """Every sample, by its name and labels, without the worker's."""
    _, text = exposition({worker: counted.families()}, "")
    return {
        sample.name
        + "".join(f" {label}={value}" for label, value in sorted(sample.labels.items()) if label != "worker"): (
            sample.value
        )
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def text(delta: str) -> events.Event:
    return events.TextMessageContent("m", delta)


def test_a_run(counted: Metrics, clock: Clock) -> None:
    encode = counted.encoder(RUN, events.encode)
    started = events.RunStarted("t", "r")
    assert encode(started) == events.encode(started)
    clock.now += 0.25
    encode(text("Hel"))
    clock.now += 0.02
    encode(text("lo"))
    counted.ended(outcome(usage=events.Usage(prompt_tokens=8, completion_tokens=2)))
    numbers = said(counted)
    assert numbers["tokenwire_runs_started_total wire=rais"] == 1
    assert numbers["tokenwire_runs_ended_total code= model=fast outcome=finished wire=rais"] == 1
    assert numbers["tokenwire_first_token_seconds_sum model=fast"] == pytest.approx(0.25)
    assert numbers["tokenwire_token_gap_seconds_count"] == 1
    assert numbers["tokenwire_token_gap_seconds_sum"] == pytest.approx(0.02)
    assert numbers["tokenwire_run_duration_seconds_sum model=fast"] == 3
    assert numbers["tokenwire_tokens_total direction=input model=fast"] == 8
    assert numbers["tokenwire_tokens_total direction=output model=fast"] == 2


@pytest.mark.anyio
async def test_the_relay_is_measured_from_the_oldest_that_waits(counted: Metrics, clock: Clock) -> None:
    encode = counted.encoder(RUN, events.encode)
    meter = counted.meter(RUN.key)
    assert meter is not None
    encode(text("before anybody came"))
    clock.now += 0.5
    sent: list[str] = []

    async def keep(message: str) -> None:
        sent.append(message)

    send = meter.watching(keep)
    encode(text("a"))
    clock.now += 0.5
    encode(text("b"))
    clock.now += 0.5
    await send("a b")
    clock.now += 0.5
    await send("a heartbeat")  # nothing waited for it
    assert sent == ["a b", "a heartbeat"]
    numbers = said(counted)
    assert numbers["tokenwire_relay_delay_seconds_count"] == 1
    assert numbers["tokenwire_relay_delay_seconds_sum"] == pytest.approx(1.0)


@pytest.mark.anyio
async def test_what_is_sent_after_the_end_counts(counted: Metrics, clock: Clock) -> None:
    encode = counted.encoder(RUN, events.encode)
    following = Following(RUN.key, "ask", counted, None)
    sent: list[str] = []

    async def keep(message: str) -> None:
        sent.append(message)

    send = following.watching(keep)
    encode(text("a"))
    clock.now += 0.5
    counted.ended(outcome(model="fast"))
    await send("all of it")
    following.close()
    assert said(counted)["tokenwire_relay_delay_seconds_sum"] == pytest.approx(0.5)


def test_beyond_a_sample_only_the_first_pieces_are_timed(counted: Metrics, clock: Clock) -> None:
    sample = [counted.encoder(run, events.encode) for run in map(numbered, range(TIMED))]
    late = counted.encoder(RUN, events.encode)
    assert counted.meter(RUN.key) is None
    clock.now += 0.25
    for _ in range(3):
        assert late(text("a")) == events.encode(text("a"))
        clock.now += 1
    counted.ended(outcome(model="fast"))
    numbers = said(counted)
    assert numbers["tokenwire_first_token_seconds_sum model=fast"] == pytest.approx(0.25)
    assert numbers["tokenwire_token_gap_seconds_count"] == 0
    del sample[0]
    again = counted.encoder(RUN, events.encode)  # there is room again
    assert counted.meter(RUN.key) is not None
    del again, sample


def numbered(number: int) -> RunInfo:
    return RunInfo("", "thread", f"run-{number}", "rais")


def test_a_model_that_nobody_configured_makes_no_series_of_its_own(counted: Metrics) -> None:
    for number in range(100):
        counted.ended(outcome(model=f"model-{number}"))
    assert said(counted)["tokenwire_runs_ended_total code= model=other outcome=finished wire=rais"] == 100


def test_a_meter_does_not_outlive_its_run(counted: Metrics) -> None:
    encode = counted.encoder(RUN, events.encode)
    assert counted.meter(RUN.key) is not None
    del encode
    assert counted.meter(RUN.key) is None  # also where another process has ended the run, and tells of it


def test_the_rest(counted: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "hits", type(limits.hits)())
    limits_hit("requests")
    limits_hit("requests")
    counted.look_at(
        lambda: 7,
        lambda: [
            {"name": "fast", "targets": [{"provider": "groq", "status": "down"}] * 2},
            {"name": "a", "targets": []},
        ],
    )
    counted.attempted("fast", "groq", "upstream_timeout")
    counted.read("resume")
    counted.read("join")
    counted.readers -= 1
    counted.ended(outcome(saved=40))
    counted.ended(outcome(saved=2))
    counted.stored("write", 0.003)
    numbers = said(counted)
    assert numbers["tokenwire_limits_hit_total kind=requests"] == 2
    assert numbers["tokenwire_runs"] == 7
    assert numbers["tokenwire_targets model=fast provider=groq status=down"] == 2
    assert numbers["tokenwire_attempts_total model=fast provider=groq result=upstream_timeout"] == 1
    assert numbers["tokenwire_reads_total how=resume"] == 1
    assert numbers["tokenwire_readers"] == 1
    assert numbers["tokenwire_tokens_saved_total"] == 42
    assert numbers["tokenwire_store_seconds_bucket le=0.0025 operation=write"] == 0
    assert numbers["tokenwire_store_seconds_bucket le=0.005 operation=write"] == 1


def test_buckets_hold_what_does_not_exceed_them() -> None:
    histogram = Histogram((1, 2))
    for value in (0, 1, 1.5, 2, 2.5):
        histogram.observe(value)
    assert list(histogram.buckets()) == [("1.0", 2), ("2.0", 4), ("+Inf", 5)]
    assert histogram.count == 5
    assert histogram.sum == 7


def test_workers_stand_side_by_side(counted: Metrics) -> None:
    counted.ended(outcome(saved=3))
    content_type, page = exposition({"1": counted.families(), "2": counted.families()}, "")
    assert content_type.startswith("text/plain")
    lines = page.decode().splitlines()
    assert lines.count("# TYPE tokenwire_tokens_saved_total counter") == 1
    assert 'tokenwire_tokens_saved_total{worker="1"} 3.0' in lines
    assert 'tokenwire_tokens_saved_total{worker="2"} 3.0' in lines


def test_who_prefers_open_metrics_gets_it(counted: Metrics) -> None:
    content_type, page = exposition({"1": counted.families()}, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith(b"# EOF\n")
