"""An observer that notes every outcome."""

from collections.abc import Callable

from tokenwire import events
from tokenwire.runs.log import RunInfo
from tokenwire.runs.outcome import Outcome


class Witness:
    """See :class:`tokenwire.runs.observer.Observer`."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @property
    def kinds(self) -> list[str]:
        return [outcome.kind for outcome in self.outcomes]

    def encoder(self, run: RunInfo) -> Callable[[events.Event], bytes]:  # noqa: ARG002
        return events.encode

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    async def close(self) -> None:
        pass
