"""The tool calls of one answer."""


class Calls:
    """From the ids that a framework has for its calls to ids that are new in the answer.

    Models number their calls anew in each step, and an agent takes many steps for one answer.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._begun: set[str] = set()
        self._waiting: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether there are calls that nothing has come back from: somebody else is to make them."""
        return bool(self._waiting)

    def begin(self, call_id: str) -> str:
        """The id of a call that begins."""
        new, count = call_id, 1
        while new in self._begun:
            count += 1
            new = f"{call_id}-{count}"
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
