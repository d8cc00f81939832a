"""Whoever looks on while runs are made."""

from collections.abc import Callable
from typing import Protocol

from .. import events
from .log import RunInfo
from .outcome import Outcome


class Observer(Protocol):
    """Sees what goes into the logs, and how each run ended. Neither raises nor blocks."""

    def encoder(self, run: RunInfo) -> Callable[[events.Event], bytes]:
        """Makes each event of a run into its record: :func:`tokenwire.events.encode`, or more than that."""

    def ended(self, outcome: Outcome) -> None:
        """A run has its end, and the store has it too: told once over all processes."""

    async def close(self) -> None:
        """Finishes what it has under way, within bounds."""
