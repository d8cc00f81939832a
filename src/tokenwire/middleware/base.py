"""What a middleware may be told."""

from collections.abc import Awaitable

from ..events import Event
from ..gate.question import Question
from ..runs.log import RunInfo
from ..runs.outcome import Outcome


class Middleware:
    """A middleware overrides what it needs. Any other object that has some of these methods will do as well.

    They are called in the event loop and must not block it. ``on_request`` and ``on_end`` may be coroutines.
    """

    def on_request(self, question: Question) -> Question | Awaitable[Question | None] | None:
        """A question has come; the policy has not had its say yet.

        Returns the question to be asked in its place, or ``None`` for the same. A
        :class:`tokenwire.errors.Refusal` is told to the client as it is. Whatever else is raised, or returned, is
        logged, and the question refused (``internal``): what a failing guard would have said is not known.
        """

    def on_event(self, run: RunInfo, event: Event) -> Event | None:
        """An event is about to go into the log: from ``RunStarted`` to the terminal one, in order.

        Returns an event of the same kind and with the same ids to be logged in its place, or ``None`` for the same.
        Whatever else is returned, or raised, is logged once for each run, and the event goes on as it was.
        """

    def on_end(self, outcome: Outcome) -> Awaitable[None] | None:
        """A run has ended, and its log with it. Told once for each run that was started, whoever ended it."""
