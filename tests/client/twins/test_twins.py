"""After every event both clients show the same, and they send the same bytes."""

from typing import Any

import pytest

from tokenwire.client.messages import Dialect

from ...interop.node import Node
from ...wire.logs import RUNS
from .scenarios import both, new_only, recorded
from .twin import Scenario, changes, play, without_chance

_played: list[tuple[Scenario, Dialect]]
_played = [(scenario, dialect) for dialect in ("new", "legacy") for scenario in both]
_played += [(scenario, "new") for scenario in new_only]
_played += [(recorded(run, dialect), dialect) for dialect in ("new", "legacy") for run in RUNS]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("scenario", "dialect"), [pytest.param(*each, id=f"{each[1]}-{each[0].name}") for each in _played]
)
async def test_twins(scenario: Scenario, dialect: Dialect, twins: Node) -> None:
    theirs: dict[str, Any] = twins.begin(scenario.in_javascript(dialect), without_chance).result()
    ours = without_chance(await play(scenario, dialect))
    assert ours["shown"] == theirs["shown"]
    assert ours["bodies"] == theirs["bodies"]
    assert ours["status"] == theirs["status"]
    assert ours["calls"] == changes(theirs["calls"])
