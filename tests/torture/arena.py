"""Where a scenario plays its trials."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar

from tokenwire.testing import Finding, Wrong

from .tally import Outcome, Tally

T = TypeVar("T")

AT_ONCE = 24
"""Trials side by side, where a scenario does not say."""

_LAST = 32


class Arena:
    """What a scenario is given.

    :param rng: seeded; the only source of chance.
    :param limit: the most trials that are wanted; None for all there are.
    :param folder: the scenario's own.
    """

    def __init__(self, scenario: str, rng: Random, limit: int | None, folder: Path) -> None:
        self.rng = rng
        self.limit = limit
        self.folder = folder
        self.tally = Tally(scenario)

    def sample(self, cases: Sequence[T]) -> Sequence[T]:
        """The cases, or so many of them as are wanted: by chance, but the last few always."""
        if self.limit is None or len(cases) <= self.limit:
            return cases
        last = min(self.limit // 4, _LAST)
        return [*self.rng.sample(cases[: len(cases) - last], self.limit - last), *cases[len(cases) - last :]]

    async def play(self, cases: Sequence[T], trial: Callable[[T], Awaitable[Outcome]], at_once: int = AT_ONCE) -> None:
        """Plays a trial for each of a sample of the cases, so many side by side, and counts what comes of them."""
        remaining = iter(self.sample(cases))

        async def one_after_the_other() -> None:
            for case in remaining:
                await self.count(case, trial(case))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(one_after_the_other())

    async def count(self, case: object, trial: Awaitable[Outcome]) -> None:
        """Counts what comes of one trial. If it waits in vain it has found a hang, if it fails otherwise an error."""
        try:
            outcome = await trial
        except Exception as error:  # noqa: BLE001  # the other trials are still to be played
            outcome = Outcome(0, [_finding(error)])
        self.tally.add(case, outcome)


def _finding(error: BaseException) -> Finding:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return Finding(Wrong.hung if isinstance(error, TimeoutError) else Wrong.error, repr(error))


class Unavailable(Exception):
    """Raised by a scenario that this machine cannot play; says what is missing."""
