"""The agents of one application, and what they are doing."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..gate.question import Question
from ..providers.base import Prompt
from .agent import Agent
from .ask import Ask, ModelSource
from .source import AgentSource

logger = logging.getLogger("tokenwire.agents")

_LAST_WORDS_SECONDS = 2.0


class Agents:
    """Agents by their names. It outlives every answer: :meth:`close` waits for the ``finally`` blocks of the last.

    :param models: which they may ask.
    """

    def __init__(self, agents: Iterable[Agent], models: ModelSource) -> None:
        self._models = models
        self._agents = {agent.name: agent for agent in agents}
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, name: str) -> Agent | None:
        """The agent of that name, if there is one."""
        return self._agents.get(name)

    def listing(self) -> list[dict[str, Any]]:
        """What ``GET /models`` says of each."""
        return [
            {
                "name": agent.name,
                "description": agent.description,
                "greeting": agent.greeting,
                "status": "ok",
                "targets": [],
            }
            for agent in self._agents.values()
        ]

    def source(
        self,
        agent: Agent,
        question: Question,
        prompt: Prompt,
        data: Mapping[str, Any],
        tools: Collection[str] | None = None,
    ) -> AgentSource:
        """A source that asks an agent, one of these or not.

        :param question: as the request has it.
        :param prompt: what the policy made of that.
        :param data: what the client sent beside the messages.
        :param tools: which may be used; all of them where that is not said.
        """
        granted = Ask(
            messages=prompt.messages,
            thread_id=question.run.thread_id,
            run_id=question.run.run_id,
            principal=question.run.principal,
            persona=question.options.persona,
            tools=None if tools is None else frozenset(tools),
            temperature=prompt.temperature,
            max_tokens=prompt.max_tokens,
            data=data,
            models=self._models,
        )
        return AgentSource(agent, granted, self._tasks)

    async def close(self) -> None:
        """Returns when none is at work any more; one that cannot be ended is left behind, and named in the log."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=_LAST_WORDS_SECONDS)
            for task in left:
                logger.error("the %s does not end", task.get_name())
