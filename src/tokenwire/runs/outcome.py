"""How a run ended, for whoever keeps account of runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .. import events
from ..errors import Code
from .log import RunInfo

OutcomeKind = Literal["finished", "failed", "cancelled", "lost"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one run."""

    run: RunInfo
    kind: OutcomeKind
    """``failed``: ``code`` says why. ``lost``: its process died, or the store was gone for good."""
    code: str | None = None
    """One of :class:`tokenwire.errors.Code`, of a run that failed or was lost."""
    finish_reason: events.FinishReason | None = None
    model: str | None = None
    """As requests know it; ``None`` where another process had begun the run."""
    served: str | None = None
    """Where the answer is from (``provider/model``), as far as there is one from a model."""
    usage: events.Usage | None = None
    """Tokens as the model's provider reported them, of a run that finished."""
    saved: int | None = None
    """At most how many tokens its early end has spared, where a bound is known."""
    started: datetime | None = None
    """``None`` where another process had begun the run."""
    ended: datetime
    records: Callable[[], Awaitable[Sequence[bytes]]] = field(repr=False, compare=False)

    async def events(self) -> list[events.Event]:
        """Everything that happened, read back from the log.

        Raises :class:`tokenwire.errors.Refusal` (``store_unavailable``) where another process's log cannot be had.
        """
        return [events.decode(payload) for payload in await self.records()]

    async def text(self) -> str:
        """The answer's text, read back from the log. Raises as :meth:`events` does."""
        return "".join(event.delta for event in await self.events() if isinstance(event, events.TextMessageContent))


def outcome_of(
    run: RunInfo,
    terminal: events.Terminal | None,
    *,
    model: str | None,
    served: str | None,
    started: datetime,
    ended: datetime,
    saved: int | None,
    records: Callable[[], Awaitable[Sequence[bytes]]],
) -> Outcome:
    """The outcome of a run that this process began; without a terminal event of its own it is lost."""
    if isinstance(terminal, events.RunFinished):
        return Outcome(
            run=run,
            kind="cancelled" if terminal.finish_reason == "cancelled" else "finished",
            finish_reason=terminal.finish_reason,
            model=terminal.model or model,
            usage=terminal.usage,
            saved=saved,
            served=served,
            started=started,
            ended=ended,
            records=records,
        )
    return Outcome(
        run=run,
        kind="lost" if terminal is None else "failed",
        code=Code.producer_lost if terminal is None else terminal.code,
        model=model,
        saved=saved,
        served=served,
        started=started,
        ended=ended,
        records=records,
    )
