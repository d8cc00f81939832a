"""A source that waits while its answer is not paid for."""

from collections.abc import Callable, Sequence

from .. import events
from ..runs.run import Run, Source


class MeteredSource:
    """See :class:`tokenwire.runs.run.Source`. Adds one more reason to be paused to those that the run has.

    :param begun: told of the run, before the source begins.
    """

    def __init__(self, source: Source, begun: Callable[[Run], None]) -> None:
        self._source = source
        self._begun = begun
        self._paused = False
        self._unpaid = False

    def start(self, run: Run) -> None:
        """Begins."""
        self._begun(run)
        self._source.start(run)

    def stop(self) -> Sequence[events.Event]:
        """Ends the work at once."""
        return self._source.stop()

    def pause(self) -> None:
        """The run wants no more."""
        if not self._unpaid:
            self._source.pause()
        self._paused = True

    def resume(self) -> None:
        """The run wants more again."""
        self._paused = False
        if not self._unpaid:
            self._source.resume()

    def hold(self) -> None:
        """What comes next is not paid for yet."""
        if not self._unpaid and not self._paused:
            self._source.pause()
        self._unpaid = True

    def let_go(self) -> None:
        """It is."""
        if self._unpaid and not self._paused:
            self._source.resume()
        self._unpaid = False

    @property
    def saved(self) -> int | None:
        """As the source says."""
        return self._source.saved
