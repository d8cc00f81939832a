"""The tool calls of one answer."""


class Calls:
    """From the ids that a framework has for its calls to ids that are new in the answer.

    Models number their calls anew in each step, and an agent takes many steps for one answer.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._begun: set[str] = set()
        self._counts: dict[str, int] = {}
        """How often each of the framework's ids has begun a call."""
        self._waiting: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether there are calls that nothing has come back from: somebody else is to make them."""
        return bool(self._waiting)

    def begin(self, call_id: str) -> str:
        """The id of a call that begins."""
        count = self._counts.get(call_id, 0) + 1
        while (new := call_id if count == 1 else f"{call_id}-{count}") in self._begun:
            count += 1
        self._counts[call_id] = count
        self._begun.add(new)
        self._waiting.add(new)
        self._ids[call_id] = new
        return new

    def find(self, call_id: str) -> str | None:
        """The id of a call that has begun; ``None`` for one of an earlier answer."""
        return self._ids.get(call_id)

    def end(self, call_id: str) -> str | None:
        """The same, of a call whose result has come."""
        found = self.find(call_id)
        if found is not None:
            self._waiting.discard(found)
        return found
