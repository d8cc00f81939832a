"""One question to one agent: a task that listens to it, and tells the run."""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from .. import events
from ..errors import Code, Failure, UpstreamFailure
from ..observe.content import Content
from ..runs.run import Run
from .agent import Agent
from .ask import Ask, Calls
from .pieces import Piece, checked
from .telling import Telling

logger = logging.getLogger("tokenwire.agents")

_IN_A_ROW = 64
"""Pieces after which an agent that never waits for anything lets others have their turn."""


class AgentSource:
    """A source (:class:`tokenwire.runs.run.Source`) that asks an agent.

    What the agent says within one turn of the event loop is told at its end, as one: text that came together is one
    delta.

    :param tasks: where the task is kept for as long as it runs, which is a little longer than the run: an agent that
        is stopped still has its ``finally`` blocks to go through.
    """

    def __init__(self, agent: Agent, ask: Ask, tasks: set[asyncio.Task[None]]) -> None:
        self._agent = agent
        self._ask = ask
        self._tasks = tasks
        self._stopped = False
        self._in_a_row = 0
        self._paused: asyncio.Future[None] | None = None

    def have_paid(self, calls: Calls) -> None:
        """Has the models that the agent asks paid for. Not once it is asked."""
        self._ask = dataclasses.replace(self._ask, calls=calls)

    def start(self, run: Run) -> None:
        """Asks the agent, in a task of its own with the context of the request."""
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._telling = Telling(f"msg-{run.log.key[:12]}", self._ask.tools)
        self._task = self._loop.create_task(self._answer(), name=f"agent {self._agent.name}")
        self._tasks.add(self._task)
        self._task.add_done_callback(self._tasks.discard)

    def stop(self) -> Sequence[events.Event]:
        """Cancels the agent, and hears no more of it."""
        self._stopped = True
        self._task.cancel()
        return self._telling.close()

    def pause(self) -> None:
        """Asks for no further piece."""
        if self._paused is None:
            self._paused = self._loop.create_future()

    def resume(self) -> None:
        """Asks on."""
        if self._paused is not None and not self._paused.done():
            self._paused.set_result(None)
        self._paused = None

    @property
    def saved(self) -> int | None:
        """Nobody knows how much an agent would have said."""
        return None

    async def _answer(self) -> None:
        try:
            await self._listen()
        except Failure as failure:
            self._fail(failure)
        except asyncio.CancelledError:
            if self._stopped:
                raise
            self._failed()  # by whoever cancelled the agent, or what it waited for: not by us
            if self._task.cancelling():
                raise
        except GeneratorExit:  # the loop is gone, and everybody with it
            raise
        except BaseException as error:  # extensions in Rust panic with one
            self._failed()
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        else:
            if not self._stopped:
                reason, usage, model = self._telling.finish
                self._tell_all(self._telling.close())
                self._run.finish(reason, model=model or self._agent.name, usage=usage)

    async def _listen(self) -> None:
        answer: AsyncIterator[Piece] = await self._agent.begin(self._ask)
        del self._ask  # the conversation is not held for as long as the answer takes
        try:
            async for piece in answer:
                if self._stopped:
                    return
                self._hear(piece)
                if self._in_a_row >= _IN_A_ROW:
                    await asyncio.sleep(0)
                while self._paused is not None:
                    await self._paused
        finally:
            await _close(answer)

    def _hear(self, piece: Piece) -> None:
        self._telling.hear(checked(piece))
        if not self._in_a_row:
            self._loop.call_soon(self._tell)
        self._in_a_row += 1

    def _tell(self) -> None:
        self._in_a_row = 0
        if not self._stopped:
            self._tell_all(self._telling.take())

    def _tell_all(self, told: Sequence[events.Event]) -> None:
        if told:  # until then, a failure has a status of its own
            self._run.accept()
            self._run.emit(told)

    def _failed(self) -> None:
        if self._stopped:
            logger.warning(
                "the agent %s failed after it was stopped",
                self._agent.name,
                exc_info=True,
                extra={"run": self._run.info},
            )
            return
        logger.exception(
            "the agent %s failed in run %s", self._agent.name, self._run.info.run_id, extra={"run": self._run.info}
        )
        self._fail(Failure(Code.agent_failed))

    def _fail(self, failure: Failure) -> None:
        if self._stopped:
            return
        if failure.detail:
            info, name = self._run.info, self._agent.name
            logger.warning(
                "run %s: %s from %s: %s", info.run_id, failure.code, name, _quoted(failure), extra={"run": info}
            )
        self._tell_all(self._telling.close())
        self._run.fail(failure)


def _quoted(failure: Failure) -> str | Content:
    """A failure's detail: a provider's own words as it refuses; whatever an agent says may be of the conversation."""
    refused = isinstance(failure, UpstreamFailure) and failure.code is not Code.upstream_malformed
    return failure.detail if refused else Content(failure.detail)


async def _close(answer: Any) -> None:
    if hasattr(answer, "aclose"):
        await answer.aclose()
