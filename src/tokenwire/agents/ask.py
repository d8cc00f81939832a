"""What an agent is given."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..messages import Message
from ..providers.base import Prompt
from ..runs.run import Source
from .inner import Call, heard
from .pieces import Piece

ModelSource = Callable[[str, Prompt], Source]
"""A source that asks a configured model, by its name. Raises :class:`LookupError` where there is none."""

Calls = Callable[[str, Prompt], Call]
"""What a question to a model has to pass, so that it is paid for."""


def _no_models(name: str, _: Prompt) -> Source:
    raise LookupError(f"there is no model {name!r} here")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One question to an agent."""

    messages: tuple[Message, ...]
    """The conversation, repaired where a client sent it broken, with the persona's system prompt first."""
    thread_id: str
    run_id: str
    principal: str = ""
    """Who asks: what ``authenticate`` said, or empty where nobody has to say."""
    persona: str | None = None
    """The persona that is asked for, whether there is one of that name or not."""
    tools: frozenset[str] | None = None
    """Names of the tools that may be used in the principal's name, ``None`` for all. The run ends where the agent tells
    the call of another."""
    temperature: float | None = None
    """Within the policy's bounds, like :attr:`max_tokens`; ``None`` where nobody named one."""
    max_tokens: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the client sends beside the messages (``forwardedProps``, ``data``). Anybody can send anything in it."""
    models: ModelSource = field(default=_no_models, repr=False, compare=False)
    """Behind :meth:`model`."""
    calls: Calls | None = field(default=None, repr=False, compare=False)
    """Behind it as well, where account is kept."""

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")

    def model(
        self,
        name: str,
        messages: Iterable[Message] | None = None,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> AsyncIterator[Piece]:
        """The answer of a configured model to these messages, or to this question's own.

        Its text comes as ``str``; everything it gives can be yielded as it is. Raises :class:`LookupError` for a model
        that is not configured, and while it answers :class:`tokenwire.Failure` where it fails, or where the limits of
        whoever asks grant no more. It ends with the agent's own answer.
        """
        asked = self.messages if messages is None else tuple(messages)
        prompt = Prompt(messages=asked, temperature=temperature, max_tokens=max_tokens)
        source = self.models(name, prompt)
        return heard(source, None if self.calls is None else self.calls(name, prompt))
