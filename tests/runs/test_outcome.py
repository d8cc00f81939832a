"""Every run's end is told once, whatever ended it, in whichever store it is kept."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.errors import Code, Failure, UpstreamFailure
from tokenwire.runs.engine import Engine
from tokenwire.runs.log import Store
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds, Run

from .contract import until
from .record import info, said
from .redis_server import RedisServer, redis_store
from .shared_stores import opened
from .source import FailingSource, ScriptedSource
from .witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

BOUNDS = Bounds(size=1000, ahead=1000)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryStore()
        elif request.param == "sqlite":
            yield await stack.enter_async_context(opened(tmp_path / "runs.db", lease_seconds=0.4))
        else:
            server: RedisServer = request.getfixturevalue("redis_server")
            with server.client() as client:
                client.flushall()
            yield await stack.enter_async_context(redis_store(server.url, lease_seconds=0.4))


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def engine(store: Store, witness: Witness) -> Engine:
    return Engine(store, max_runs=9, bounds=BOUNDS, observer=witness)


def answer(run: Run) -> None:
    run.accept()
    run.emit([said("Hel"), said("lo")])


def finish(run: Run) -> None:
    answer(run)
    run.finish("stop", model="small", usage=events.Usage(prompt_tokens=3, completion_tokens=2))


def fail(run: Run) -> None:
    answer(run)
    run.fail(UpstreamFailure(Code.upstream_truncated))


def refuse(run: Run) -> None:
    run.fail(UpstreamFailure(Code.upstream_auth))


def cancel(run: Run) -> None:
    answer(run)
    run.cancel()


def grow(run: Run) -> None:
    run.emit([said("x" * 2000)])


ENDINGS: dict[str, tuple[Callable[[Run], None], str, str | None]] = {
    "finished": (finish, "finished", None),
    "failed": (fail, "failed", "upstream_truncated"),
    "refused": (refuse, "failed", "upstream_auth"),
    "cancelled": (cancel, "cancelled", None),
    "abandoned": (Run.abandon, "failed", "abandoned"),
    "too long": (grow, "failed", "answer_too_long"),
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_each_ending_is_told_once(engine: Engine, witness: Witness, name: str) -> None:
    end, kind, code = ENDINGS[name]
    source = ScriptedSource()
    log = await engine.start(info(), None, source, model="asked")
    end(source.run)
    await until(lambda: log.closed)
    await engine.close()
    (outcome,) = witness.outcomes
    assert (outcome.kind, outcome.code, outcome.run) == (kind, code, info())
    assert outcome.started is not None
    assert outcome.started <= outcome.ended
    assert events.is_terminal(list(log.read(0, log.length))[-1])


async def test_an_outcome_says_what_was_said(engine: Engine, witness: Witness) -> None:
    log = await engine.start(info(), None, ScriptedSource(on_start=finish), model="asked")
    await until(lambda: bool(witness.outcomes))
    (outcome,) = witness.outcomes
    assert log.closed
    assert (outcome.finish_reason, outcome.model) == ("stop", "small")
    assert outcome.usage == events.Usage(prompt_tokens=3, completion_tokens=2)
    assert await outcome.text() == "Hello"
    happened = await outcome.events()
    assert happened[0] == events.RunStarted("thread", "run")
    assert happened[-1] == events.RunFinished("thread", "run", "stop", "small", outcome.usage)


async def test_a_run_without_a_word_of_its_model_is_told_by_what_was_asked(engine: Engine, witness: Witness) -> None:
    await engine.start(info(), None, ScriptedSource(on_start=cancel), model="asked")
    await until(lambda: bool(witness.outcomes))
    assert witness.outcomes[0].model == "asked"


async def test_a_source_that_does_not_start_has_an_outcome(engine: Engine, witness: Witness) -> None:
    await engine.start(info(), None, FailingSource(at="start"))
    await until(lambda: bool(witness.outcomes))
    assert [outcome.code for outcome in witness.outcomes] == ["internal"]


async def test_runs_under_way_at_the_end_of_the_server_have_outcomes(engine: Engine, witness: Witness) -> None:
    for number in range(3):
        await engine.start(info(f"r{number}"), None, ScriptedSource())
    await engine.close()
    assert sorted((outcome.run.run_id, outcome.code) for outcome in witness.outcomes) == [
        (f"r{number}", "shutting_down") for number in range(3)
    ]


async def test_a_question_that_is_asked_again_has_no_outcome_of_its_own(engine: Engine, witness: Witness) -> None:
    log = await engine.start(info(), None, ScriptedSource(on_start=finish))
    await engine.start(info(), None, ScriptedSource())
    await until(lambda: log.closed)
    await engine.start(info(), None, ScriptedSource())
    await engine.close()
    assert witness.kinds == ["finished"]


STEPS: dict[str, Callable[[Run], None]] = {
    "accept": Run.accept,
    "emit": lambda run: run.emit([said("a")]),
    "finish": lambda run: run.finish("stop"),
    "fail": lambda run: run.fail(Failure(Code.upstream_error)),
    "cancel": Run.cancel,
    "abandon": Run.abandon,
    "lose": lambda run: run.lose(Failure(Code.producer_lost)),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=8))
async def test_whatever_happens_to_a_run_it_has_the_outcome_that_its_log_has(steps: list[str]) -> None:
    witness = Witness()
    engine = Engine(MemoryStore(), max_runs=9, bounds=BOUNDS, observer=witness)
    source = ScriptedSource()
    log = await engine.start(info(), None, source)
    for step in steps:
        STEPS[step](source.run)
    ends = [step for step in steps if step in ("finish", "fail", "cancel", "abandon", "lose")]
    await engine.close()
    if ends[:1] == ["lose"]:  # whoever made it lose tells
        assert (witness.kinds, log.closed) == ([], False)
        return
    expected = {"finish": "finished", "cancel": "cancelled"}.get(ends[0] if ends else "", "failed")
    assert (witness.kinds, log.closed) == ([expected], True)
