"""Whoever looks on while models are asked."""

from typing import Protocol

from ..errors import Failure
from ..providers.base import Answer, Prompt, Target
from ..runs.run import Run


class AttemptWatch(Protocol):
    """Looks on at one question to one target. Hears of one end."""

    def begin_answer(self) -> None:
        """The first of the answer has come."""

    def finish(self, answer: Answer) -> None:
        """All of it has."""

    def fail(self, failure: Failure, status: int) -> None:
        """There is none, or no more of it. ``status`` is that of the response, 0 without one."""

    def stop(self) -> None:
        """Nobody wants it any more."""


class RunWatch(Protocol):
    """Looks on at one run's questions."""

    def ask(self, target: Target, prompt: Prompt) -> AttemptWatch:
        """A target is about to be asked."""


class RouterWatch(Protocol):
    """Looks on at everybody's."""

    def begin(self, run: Run, model: str) -> RunWatch:
        """A run begins to ask ``model``, in the context of its request."""


class Unwatched:
    """Nobody looks on."""

    def begin(self, run: Run, model: str) -> RunWatch:  # noqa: ARG002
        return self

    def ask(self, target: Target, prompt: Prompt) -> AttemptWatch:  # noqa: ARG002
        return self

    def begin_answer(self) -> None:
        """Nothing."""

    def finish(self, answer: Answer) -> None:
        """Nothing."""

    def fail(self, failure: Failure, status: int) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


UNWATCHED = Unwatched()
