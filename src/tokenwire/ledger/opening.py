"""What is known of a run while it is under way, kept for whoever has to account for it in its process's stead."""

import logging

import msgspec

from ..accounts.records.contract import Records, RecordsAway
from ..runs.log import RunInfo
from .charge import Taken

logger = logging.getLogger("tokenwire.ledger")

_KEEP_SECONDS = 7 * 24 * 3600.0


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The first half of a row."""

    key: str | None
    model: str
    """As the configuration names it."""
    target: str | None
    """``provider/model`` of the target that stands first, where the model has any."""
    started: float
    """Unix time."""
    prompt_tokens: int
    """An estimate."""
    brought: tuple[str, ...] = ()
    """The targets, in the same words, that are asked with a key of the request's."""
    taken: tuple[Taken, ...] = ()
    """What the run holds of budgets, or less."""


_decoder = msgspec.json.Decoder(Opening)


class Openings:
    """The openings of runs under way. Where records are away, a row will say less, and what was taken stays taken."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def keep(self, run: RunInfo, opening: Opening) -> bool:
        """Keeps one, in the place of what was kept of the run before; returns whether it is."""
        try:
            await self._records.put(_name(run), msgspec.json.encode(opening), _KEEP_SECONDS)
        except RecordsAway as away:
            logger.warning("the opening of a run cannot be kept: %s", away.detail, extra={"run": run})
            return False
        return True

    async def take(self, run: RunInfo) -> Opening | None:
        """The one that was kept, which is forgotten with it."""
        try:
            kept = await self._records.take(_name(run))
        except RecordsAway as away:
            logger.warning("the opening of a run cannot be had: %s", away.detail, extra={"run": run})
            return None
        return None if kept is None else _decoder.decode(kept)


def _name(run: RunInfo) -> str:
    return f"run:{run.key}"
