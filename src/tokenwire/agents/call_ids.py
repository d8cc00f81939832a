"""The ids of one answer's tool calls."""


class CallIds:
    """From the ids that an agent has for its calls to ids that are new in the answer.

    Models number their calls anew in each step, and an agent takes many steps for one answer.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._begun: set[str] = set()
        self._counts: dict[str, int] = {}
        """How often each of the agent's ids has begun a call."""

    def begin(self, call_id: str) -> str:
        """The id of a call that begins; what is said of the agent's id from now on is this call's."""
        count = self._counts.get(call_id, 0) + 1
        while (new := call_id if count == 1 else f"{call_id}-{count}") in self._begun:
            count += 1
        self._counts[call_id] = count
        self._begun.add(new)
        self._ids[call_id] = new
        return new

    def find(self, call_id: str) -> str | None:
        """The id of a call that has begun; ``None`` for one of an earlier answer."""
        return self._ids.get(call_id)
