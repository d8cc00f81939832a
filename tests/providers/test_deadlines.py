"""How long an answer may take, by a clock that the test moves."""

import asyncio
from typing import Any, cast

import pytest

from tokenwire.providers.base import Parser, Timeouts
from tokenwire.providers.deadlines import Deadlines

from ..runs.clock import ClockLoop

pytestmark = pytest.mark.anyio


class Said:
    """As much of a parser as is looked at."""

    tokens = 0


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": ClockLoop}


@pytest.fixture
async def clock() -> ClockLoop:
    return cast(ClockLoop, asyncio.get_running_loop())


def watch(clock: ClockLoop, said: Said, **timeouts: float) -> tuple[Deadlines, list[str]]:
    late: list[str] = []
    deadlines = Deadlines(clock, Timeouts(**timeouts), cast(Parser, said), late.append)
    deadlines.begin_tokens(late.append)
    return deadlines, late


async def test_what_begins_without_a_token_has_its_time_for_the_first(clock: ClockLoop) -> None:
    await clock.advance(100)
    _, late = watch(clock, Said(), between_tokens=4)
    assert late == []
    for _ in range(4):
        assert late == []
        await clock.advance(1)
    assert late == ["no token for 4 s"]


@pytest.mark.parametrize("kind", ["first_token", "between_tokens"])
async def test_nobody_is_late_while_nobody_reads(clock: ClockLoop, kind: str) -> None:
    deadlines, late = watch(clock, Said(), **{kind: 4.0})
    deadlines.paused = True
    for _ in range(20):
        await clock.advance(1)
    assert late == []


async def test_an_end_is_the_end_of_it(clock: ClockLoop) -> None:
    deadlines, late = watch(clock, Said(), first_token=1, between_tokens=1, answer=1)
    deadlines.end()
    deadlines.end()
    await clock.advance(10)
    assert late == []


async def test_who_reads_on_has_the_time_for_the_first_token_again(clock: ClockLoop) -> None:
    deadlines, late = watch(clock, Said(), first_token=4)
    deadlines.paused = True
    for _ in range(5):
        await clock.advance(1)
    deadlines.paused = False
    for _ in range(4):
        assert late == []
        await clock.advance(1)
    await clock.advance(1)
    assert late == ["no token within 4 s"]
