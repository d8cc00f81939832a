"""What is known of a run when it begins, kept for whoever has to write its row in its stead."""

import logging

import msgspec

from ..accounts.records.contract import Records, RecordsAway
from ..runs.log import RunInfo

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


_decoder = msgspec.json.Decoder(Opening)


class Openings:
    """The openings of runs under way. Where records are away, a row will say less."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def keep(self, run: RunInfo, opening: Opening) -> None:
        """Keeps one."""
        try:
            await self._records.put(_name(run), msgspec.json.encode(opening), _KEEP_SECONDS)
        except RecordsAway as away:
            logger.warning("the opening of a run cannot be kept: %s", away.detail, extra={"run": run})

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
