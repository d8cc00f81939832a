"""What a run asks of its user, and its way back to the server once it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from ..wire.reading import Chunk
from .connection import chunk_run_id
from .errors import ClientError
from .interrupts import Interrupt, InterruptSource, InterruptState, Pause, Resolver, ResumeState


class Asker(Protocol):
    """What the questions need of their chat."""

    def runs_tool(self, name: str | None) -> bool:
        """Whether the client has a function for the tool."""

    def show_approval(self, approval_id: str, approved: bool) -> None:
        """The user's decision goes into the conversation."""

    def questions_changed(self, source: InterruptSource) -> None:
        """Something was asked, answered or settled."""

    async def after_turn(self, action: Callable[[], Awaitable[Any]]) -> None:
        """Does it now, or when the answer that is under way is over."""

    async def continue_run(self, pause: Pause) -> bool:
        """Sends the answers; false when a request is under way. Returns when what comes of it is over."""


class Questions:
    """The interrupts of the run that waits, if one does. All answers go in one request."""

    def __init__(self, asker: Asker) -> None:
        self.pause: Pause | None = None
        self.resuming = False
        """Whether the answers are on their way."""
        self._asker = asker

    @property
    def open(self) -> list[Interrupt]:
        """What waits for the user: all but the tools that the client runs, and what is answered already."""
        if self.pause is None:
            return []
        runs = self._asker.runs_tool
        return [each for each in self.pause.open if each.kind != "client-tool" or not runs(each.tool_name)]

    @property
    def state(self) -> InterruptState:
        """What waits, and how far the answers are."""
        return InterruptState(self.open, self.resuming)

    @property
    def resume_state(self) -> ResumeState | None:
        """The run that waits."""
        return ResumeState(self.pause.thread_id, self.pause.run_id) if self.pause is not None else None

    def ask(self, pause: Pause | None, source: InterruptSource = "live") -> None:
        """A run waits from now on, or none does any more."""
        if pause is not self.pause:
            self.pause = pause
            self._asker.questions_changed(source)

    def settled_by(self, finished: Chunk, run_id: str | None) -> bool:
        """Whether nothing is asked any more after this end of a run; ``run_id`` is the one under way."""
        pause = self.pause
        return pause is not None and (pause.whole or chunk_run_id(finished) in (None, pause.run_id, run_id))

    def require_none(self) -> None:
        """Raises :class:`ClientError` while a run waits for answers."""
        if self.pause is not None:
            raise ClientError("A run waits for answers: resolve_interrupts() or cancel_interrupts() first.")

    async def answer_tool(self, call_id: str, output: Any) -> bool:
        """A tool of the client gave ``output``. False when nothing waits for that."""
        if self.pause is None or not self.pause.answer_tool(call_id, output):
            return False
        await self._answered()
        return True

    async def answer_approval(self, approval_id: str, approved: bool) -> bool:
        """The user said yes or no. False when nothing waits for that."""
        if self.pause is None or not self.pause.answer_approval(approval_id, approved):
            return False
        await self._answered()
        return True

    async def resolve(self, resolver: Resolver) -> None:
        """Answers all that waits for the user."""
        if self.pause is not None:
            self.pause.resolve(self.open, resolver)
            await self._answered()

    async def _answered(self) -> None:
        self._asker.questions_changed("live")
        pause = self.pause
        if pause is not None and pause.whole:
            await self._asker.after_turn(lambda: self._resume(pause))

    async def _resume(self, pause: Pause) -> None:
        if self.pause is not pause or self.resuming:
            return
        for answer in pause.resolutions():
            if isinstance(answer.payload, Mapping) and isinstance(answer.payload.get("approved"), bool):
                self._asker.show_approval(answer.interrupt_id, answer.payload["approved"])
        self.resuming = True
        self._asker.questions_changed("live")
        try:
            await self._asker.continue_run(pause)
        finally:
            self.resuming = False
            if self.pause is pause:
                # The continuation failed: the questions are open again.
                pause.answers.clear()
            self._asker.questions_changed("live")
