"""Some of each scenario, by a fixed seed; ``make torture`` plays all of it."""

import pytest

from . import scenarios as scenarios
from .scenario import SCENARIOS, run

pytestmark = pytest.mark.anyio

TRIALS = {"slow-reader": 2, "stall-answer": 40, "kill-sqlite": 12, "kill-redis": 12}
"""Where a trial takes its time; so many readers, in the case of a crowd."""

LONG = {"clock", "deploy", "nodes", "redis-trouble"}
"""Those of which a part takes as long as the whole."""


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in LONG])
async def test_nothing_is_lost_or_doubled_and_nobody_hangs(name: str) -> None:
    tally = await run(name, seed=1, limit=TRIALS.get(name, 150))
    if tally.trials == 0 and not tally.crashed:
        pytest.skip(tally.note)
    assert tally.good, (tally.note, tally.examples)
    assert tally.faults > 0
