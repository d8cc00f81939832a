"""The scripted model as one test sees it."""

from dataclasses import dataclass, field

from tokenwire.testing import Reply, ThreadedReceived, ThreadedUpstream


@dataclass
class Model:
    """The shared upstream, without what earlier tests asked it."""

    upstream: ThreadedUpstream
    _before: int = field(init=False)
    _queued: int = 0

    def __post_init__(self) -> None:
        self._before = len(self.upstream.requests)

    def say(self, *text: str) -> None:
        """Queues an answer of these deltas."""
        self.reply(Reply(text=text))

    def reply(self, *replies: Reply) -> None:
        """Queues answers."""
        self._queued += len(replies)
        self.upstream.reply(*replies)

    @property
    def requests(self) -> list[ThreadedReceived]:
        """What this test asked, oldest first."""
        return self.upstream.requests[self._before :]

    @property
    def unheard(self) -> int:
        """Queued answers that nobody has asked for yet."""
        return self._queued - len(self.requests)

    def received(self) -> ThreadedReceived:
        """The first thing this test asks, once it has."""
        return self.upstream.received(self._before + 1)
