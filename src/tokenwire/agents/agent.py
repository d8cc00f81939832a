"""An agent: a function that answers, under a name."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from ..config.accounts import Price
from ..routing.model import Model
from .ask import Ask
from .pieces import Piece

AgentFunction = Callable[[Ask], AsyncIterable[Piece] | Awaitable[str | AsyncIterable[Piece]]]
"""An async generator function, a coroutine function that gives the whole text, or what gives an async iterator."""


class Agent(NamedTuple):
    """What answers where a request asks for a model of this name."""

    name: str
    function: AgentFunction
    description: str = ""
    greeting: str = ""
    price: Price | None = None
    """Of what it tells, where that is counted in dollars."""

    @property
    def model(self) -> Model:
        """As the policy sees it: a name that may be asked for, of a model without targets."""
        return Model(self.name, (), self.description)

    async def begin(self, ask: Ask) -> AsyncIterator[Piece]:
        """The answer, which whoever called this closes."""
        answer: Any = self.function(ask)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str):
            return _once(answer)
        if not isinstance(answer, AsyncIterable):
            kind = type(answer).__name__
            raise TypeError(f"the agent {self.name} gives neither text nor an async iterator, but {kind}")
        return aiter(answer)


def checked(function: AgentFunction) -> AgentFunction:
    """The function. Raises :class:`TypeError` for what is none, or would hold up every other answer while it thinks."""
    if not callable(function):
        raise TypeError(f"an agent is an async function, not {type(function).__name__}")
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"{function.__qualname__} would hold up every other answer: an agent is an async def")
    return function


async def _once(text: str) -> AsyncIterator[Piece]:
    yield text
