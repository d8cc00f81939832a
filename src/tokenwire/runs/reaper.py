"""Ends the logs whose process is gone. Each end is told once, by the process that wrote it."""

import logging
from collections.abc import Callable

from .backend import Backend, Orphan
from .lease import obituary
from .log import RunInfo, Writer

logger = logging.getLogger("tokenwire.runs")


class Reaper:
    """What one process does about orphans: other processes', and its own that it had to abandon.

    :param in_use: whether a log, by its key, is written here or about to be.
    """

    def __init__(self, backend: Backend, in_use: Callable[[str], bool]) -> None:
        self.on_buried: Callable[[RunInfo], None] | None = None
        """Told of each run that was ended in the stead of another process."""
        self._backend = backend
        self._in_use = in_use
        self._suspects: frozenset[Orphan] = frozenset()
        self._unanswered: dict[Orphan, None] = {}
        self._abandoned: dict[Orphan, Writer] = {}

    def abandon(self, orphan: Orphan, writer: Writer) -> None:
        """A log of this process's own can be written no more: it ends here or elsewhere, once the store is back."""
        self._abandoned[orphan] = writer

    async def look(self, *, may_judge: bool) -> None:
        """Ends what is found dead. Raises :class:`StoreTrouble`.

        :param may_judge: whether others who are not heard of are dead.
        """
        orphans = await self._backend.orphans()
        # only at the second look: where the store's own clock was set, the living have registered again by then
        suspected = (orphan for orphan in orphans if orphan in self._suspects)
        for orphan in dict.fromkeys((*self._unanswered, *suspected)):
            if self._in_use(orphan.key) or not (may_judge or self._is_own(orphan)):
                continue
            self._unanswered[orphan] = None
            buried = await self._backend.bury(orphan, obituary(orphan.info))
            del self._unanswered[orphan]
            if buried:
                self._tell(orphan)
        self._suspects = frozenset(orphans)
        for orphan in self._abandoned.keys() - self._suspects:
            await self._account_for(orphan)

    def give_up(self) -> None:
        """The store has lost what it had, or is left behind: nobody will ever end what was abandoned."""
        for writer in self._abandoned.values():
            writer.concluded(lost=True)
        self._abandoned.clear()

    def _tell(self, orphan: Orphan) -> None:
        logger.warning("run %s had lost its process and was ended", orphan.info.run_id, extra={"run": orphan.info})
        if (writer := self._abandoned.pop(orphan, None)) is not None:
            writer.concluded(lost=True)
        elif self.on_buried is not None and not self._is_own(orphan):  # else it never began: its claim was not answered
            self.on_buried(orphan.info)

    async def _account_for(self, orphan: Orphan) -> None:
        """Finds out who ended a log that was abandoned and is no orphan any more."""
        stored = await self._backend.load(orphan.key, 0)
        ours = stored is not None and stored.lease == orphan.lease
        if stored is not None and ours and not stored.closed:
            return  # at the next look
        writer = self._abandoned.pop(orphan)
        if ours:
            writer.concluded(lost=False)  # our own last append had arrived after all

    def _is_own(self, orphan: Orphan) -> bool:
        return orphan.lease.worker == self._backend.worker
