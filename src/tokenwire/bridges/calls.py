"""The tool calls of one answer."""

from ..agents.call_ids import CallIds


class Calls:
    """The ids of a framework's calls in the answer, and which of the calls nothing has come back from."""

    def __init__(self) -> None:
        self._ids = CallIds()
        self._waiting: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether there are calls that nothing has come back from: somebody else is to make them."""
        return bool(self._waiting)

    def begin(self, call_id: str) -> str:
        """The id of a call that begins."""
        new = self._ids.begin(call_id)
        self._waiting.add(new)
        return new

    def find(self, call_id: str) -> str | None:
        """The id of a call that has begun; ``None`` for one of an earlier answer."""
        return self._ids.find(call_id)

    def end(self, call_id: str) -> str | None:
        """The same, of a call whose result has come."""
        found = self.find(call_id)
        if found is not None:
            self._waiting.discard(found)
        return found
