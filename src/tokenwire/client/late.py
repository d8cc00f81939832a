"""Events that arrive for a run that was stopped, or whose chat was cleared."""

from collections.abc import Iterable

from ..wire.reading import Chunk, is_terminal
from .connection import chunk_run_id


class LateEvents:
    """Tells the events of a run that nobody waits for any more from those of the one that is under way.

    Most events do not name their run: they belong to the one that started last.
    """

    def __init__(self) -> None:
        self._active: set[str] = set()
        self._dismissed: set[str] = set()
        self._latest: str | None = None

    def expect(self) -> None:
        """A new request: events without a run are its own."""
        self._latest = None

    def dismiss(self, runs: Iterable[str]) -> None:
        """``runs``, and all that started and did not end, are of no interest from now on."""
        self._dismissed |= self._active.union(runs)
        self._active.clear()

    def is_late(self, chunk: Chunk) -> bool:
        """Whether to leave ``chunk`` aside."""
        run_id = chunk_run_id(chunk)
        late = (run_id or self._latest) in self._dismissed
        if run_id is not None and chunk.get("type") == "RUN_STARTED":
            self._latest = run_id
            if not late:
                self._active.add(run_id)
        if is_terminal(chunk) and run_id is not None:
            self._active.discard(run_id)
            self._dismissed.discard(run_id)
        return late
