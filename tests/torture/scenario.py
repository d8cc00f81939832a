"""The register of scenarios, and how they are run."""

import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Protocol

from .arena import Arena, Unavailable
from .tally import Tally


class Scenario(Protocol):
    """A coroutine function that plays its trials in an arena."""

    __name__: str

    async def __call__(self, arena: Arena) -> None: ...


SCENARIOS: dict[str, Scenario] = {}
"""By name; the first line of a scenario's docstring is its description."""


def scenario(play: Scenario) -> Scenario:
    """Registers a coroutine function under its name, with hyphens."""
    SCENARIOS[play.__name__.replace("_", "-")] = play
    return play


async def run(name: str, seed: int, limit: int | None) -> Tally:
    """Plays one scenario; a failure of its own is a note in the tally."""
    with TemporaryDirectory(prefix="torture-") as folder:
        # each has its own chance, so that it does the same whether it plays alone or after others
        arena = Arena(name, Random(f"{seed} {name}"), limit, Path(folder))  # noqa: S311
        began = time.monotonic()
        try:
            await SCENARIOS[name](arena)
        except Unavailable as missing:
            arena.tally.note = f"not played: {missing}"
        except Exception as error:  # noqa: BLE001  # the others are still to be played
            arena.tally.note, arena.tally.crashed = f"crashed: {error!r}", True
        arena.tally.seconds = time.monotonic() - began
    return arena.tally
