"""The course of a chat: requests, what is shown of their answers, tools, pauses, and what follows from them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from ..wire.reading import Chunk, is_terminal
from .abort import DETACHED
from .connection import ConnectionAdapter, Hydration, RunContext, chunk_failure
from .errors import HttpError
from .interrupts import InterruptSource, Pause
from .legacy import LegacyProcessor
from .messages import Dialect, UIMessage, user_message
from .processor import StreamProcessor
from .questions import Questions
from .queue import MessageContent, QueuedMessage, QueuePolicy, SendQueue, WhenBusy
from .replay import replay
from .state import Audience, ChatState, Snapshot, Status
from .strategies import ChunkStrategy
from .tools import ClientTool, ToolRunner
from .turns import Turn, Turns


class Session:
    """What :class:`~tokenwire.client.ChatClient` does; see there."""

    def __init__(
        self,
        connection: ConnectionAdapter | None,
        *,
        thread_id: str,
        dialect: Dialect,
        messages: Iterable[UIMessage],
        strategy: ChunkStrategy | None,
        props: Callable[[], Mapping[str, Any]],
        tools: Mapping[str, ClientTool],
        queue: QueuePolicy,
        audience: Audience,
    ) -> None:
        self.thread_id = thread_id
        self.state = ChatState(audience)
        self.questions = Questions(self)
        self.queue = SendQueue(queue, lambda: audience.tell("on_queue_change", self.queue.waiting))
        self.turns = Turns(connection, self._apply, self.state)
        processor = LegacyProcessor if dialect == "legacy" else StreamProcessor
        self.processor: StreamProcessor = processor(self, messages, strategy)
        self._dialect: Dialect = dialect
        self._legacy = dialect == "legacy"
        self._props = props
        self._tools = ToolRunner(tools, self.add_result)
        self._audience = audience
        self._turn: Turn | None = None
        self._stopped = False
        self._draining = False
        self._continuing = False
        self._continue_again = False
        self._after: list[Callable[[], Awaitable[Any]]] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._left_run: str | None = None

    def snapshot(self) -> Snapshot:
        """All there is to show."""
        return Snapshot(
            messages=self.processor.messages,
            status=self.state.status,
            is_loading=self.state.is_loading,
            error=self.state.error,
            queue=self.queue.waiting,
            interrupts=self.questions.open,
            resuming=self.questions.resuming,
            current_run_id=self.state.run_id,
            is_subscribed=self.state.is_subscribed,
            connection_status=self.state.connection_status,
            session_generating=self.state.session_generating,
        )

    # Requests

    async def send(self, message: QueuedMessage, when_busy: WhenBusy | None) -> None:
        """Sends a message now, or does with it what the queue's policy says."""
        self.questions.require_none()
        if self.state.is_loading:
            action = "drop" if self._legacy else when_busy or self.queue.policy.when_busy
            if action == "queue":
                self.queue.add(message)
            if action != "interrupt":
                return
            self.cancel(ready=True)
        await self._deliver(message)

    async def _deliver(self, message: QueuedMessage) -> bool:
        content = message.content
        if isinstance(content, MessageContent):
            said = user_message(content.content, content.id, dict(content.metadata) if content.metadata else None)
        else:
            said = user_message(content)
        self.processor.add(said)
        return await self.respond(message.body)

    async def respond(self, body: Mapping[str, Any] | None = None, pause: Pause | None = None) -> bool:
        """One request, its answer, and what follows: continuations, then the queue. Whether the answer is complete."""
        if self.state.is_loading:
            return False
        turn = self._begin(self.turns.begin(), "submitted")
        self._stopped = False
        return await self._settled(turn, self._ask(turn, body, pause))

    def _begin(self, turn: Turn, status: Status) -> Turn:
        self._turn = turn
        self.state.begin(status)
        return turn

    async def _settled(self, turn: Turn, work: Awaitable[bool]) -> bool:
        complete = False
        try:
            complete = await work
        except asyncio.CancelledError:
            if self._turn is turn:
                self.stop()
            raise
        except Exception as error:  # noqa: BLE001 - an adapter or a callback may raise anything
            if self._turn is turn:
                self.state.report(error)
        if self._turn is not turn:
            return False
        self._turn = None
        self.turns.end(turn)
        self.state.set_loading(False)
        if complete and not self._legacy and self.state.status != "ready":
            self.state.set_status("ready")
        while self._after and not self.state.is_loading:
            await self._after.pop(0)()
        if not complete:
            self.queue.clear()
            return False
        if self._legacy and self.processor.finish_reason != "stop" and self.processor.transcript.ends_with_result():
            await self.continue_if_complete()
        await self._drain()
        return True

    async def _ask(self, turn: Turn, body: Mapping[str, Any] | None, pause: Pause | None) -> bool:
        messages = self.processor.messages
        await self._audience.ask("on_response")
        if turn.stopped:
            return False
        data = {**self._props(), **(body or {})}
        if self._legacy:
            data["conversationId"] = self.thread_id
        self.processor.prepare()
        context = RunContext(
            thread_id=pause.thread_id if pause is not None else self.thread_id,
            run_id=turn.run_id,
            parent_run_id=pause.run_id if pause is not None else None,
            resume=[answer.to_dict() for answer in pause.resolutions()] if pause is not None else None,
            client_tools=[tool.declared() for tool in self._tools.tools.values()],
            forwarded_props=data,
            dialect=self._dialect,
        )
        await self.turns.send(turn, messages, data, context)
        return await self._finish(turn)

    async def _finish(self, turn: Turn) -> bool:
        if turn.stopped or self.state.status == "error":
            return False
        await self._tools.wait()
        if turn.stopped:
            return False
        self.processor.finish()
        return True

    async def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            while (
                not self.state.is_loading
                and self.questions.pause is None
                and (message := self.queue.take()) is not None
            ):
                if not await self._deliver(message):
                    return
        finally:
            self._draining = False

    # Endings

    def cancel(self, *, ready: bool, reason: str | None = None) -> None:
        """Ends the request that is under way; what has come of its answer stays. The connection is told the reason."""
        self._turn = None
        self.turns.cancel(reason)
        for task in self._tools.cancel():
            self._keep(task)
        self._after.clear()
        self.state.set_loading(False)
        if ready:
            self.state.set_status("ready")

    def stop(self) -> None:
        """Ends the request, forgets the queue and what the run waits for."""
        self._stopped = True
        self.cancel(ready=True)
        self.queue.clear()
        self.questions.ask(None)

    def clear(self) -> None:
        """Forgets the conversation."""
        if not self._legacy:
            if self.state.is_loading:
                self.cancel(ready=True)
            self.turns.dismiss()
            self.queue.clear()
            self.questions.ask(None)
        self.processor.clear()
        self.state.set_error(None)

    def unsubscribe(self) -> None:
        """Ends the request, forgets the queue, and listens no more."""
        self.cancel(ready=True)
        self.queue.clear()
        self.turns.unsubscribe()

    def connect(self, connection: ConnectionAdapter) -> None:
        """Goes on over another connection. Ends a request that is under way."""
        if self.state.is_loading:
            self.cancel(ready=True)
        self.turns.use(connection)

    def use_tools(self, tools: Mapping[str, ClientTool]) -> None:
        """Replaces the client's tools, from the next request on."""
        self._tools.tools = tools

    async def close(self) -> None:
        """Ends everything."""
        if self.state.is_loading:
            self.stop()
        await self.turns.close()
        pending = [task for task in self._ending if task is not asyncio.current_task()]
        if pending:
            await asyncio.wait(pending)
        await self._audience.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # Tools and pauses

    async def add_result(self, call_id: str, output: Any, error: str | None) -> None:
        """A tool's output, or the error it failed with; goes on when nothing else is missing."""
        self.processor.add_tool_result(call_id, None if error else output, error)
        if not await self.questions.answer_tool(call_id, {"error": error} if error else output):
            await self.after_turn(self.continue_if_complete)

    async def answer_approval(self, approval_id: str, approved: bool) -> None:
        """The user's decision; goes on when nothing else is missing."""
        self.show_approval(approval_id, approved)
        if not await self.questions.answer_approval(approval_id, approved):
            await self.after_turn(self.continue_if_complete)

    def runs_tool(self, name: str | None) -> bool:
        """See :class:`~.questions.Asker`."""
        return self._tools.runs(name)

    def show_approval(self, approval_id: str, approved: bool) -> None:
        """See :class:`~.questions.Asker`."""
        self.processor.answer_approval(approval_id, approved)

    def questions_changed(self, source: InterruptSource) -> None:
        """See :class:`~.questions.Asker`."""
        self._audience.tell("on_resume_state_change", self.questions.resume_state, self.questions.open)
        self._audience.tell("on_interrupt_state_change", self.questions.state, source)

    async def continue_run(self, pause: Pause) -> bool:
        """See :class:`~.questions.Asker`."""
        return await self.respond(pause=pause)

    async def continue_if_complete(self) -> None:
        """Asks for the rest of an answer whose tools are all done."""
        if self.questions.pause is not None or (self._stopped and not self._legacy):
            return
        if self._continuing or self.state.is_loading:
            self._continue_again = True
            return
        transcript = self.processor.transcript
        if not transcript.tools_complete() or not (self._legacy or transcript.answer_calls()):
            return
        self._continuing, self._continue_again = True, False
        try:
            complete = await self.respond()
        finally:
            self._continuing = False
        if self._continue_again and complete:
            self._continue_again = False
            await self.continue_if_complete()

    async def after_turn(self, action: Callable[[], Awaitable[Any]]) -> None:
        """Does it now, or when the answer that is under way is over."""
        if self.state.is_loading:
            self._after.append(action)
        else:
            await action()

    # Coming back

    async def attach(self, run_id: str | None) -> None:
        """Fetches what the server keeps of the thread, and follows the run that is under way."""
        if self.state.is_loading:
            return
        hydrate = self.turns.connection.hydrate
        left, self._left_run = self._left_run, None
        if run_id is None and hydrate is not None:
            try:
                run_id = self._hydrated(await hydrate(self.thread_id))
            except HttpError:
                # A server that keeps no transcripts may keep the run.
                if left is None:
                    raise
                run_id = left
        elif run_id is None:
            run_id = left
        if run_id is not None and self.turns.connection.join_run is not None and not self.state.is_loading:
            turn = self._begin(self.turns.begin(run_id), "streaming")
            self._keep(asyncio.create_task(self._join(turn)))

    def detach(self) -> None:
        """Stops following; the run goes on, and :meth:`attach` comes back to it."""
        if self._turn is not None:
            self._left_run = self._turn.run_id
            self.cancel(ready=True, reason=DETACHED)

    def _hydrated(self, kept: Hydration) -> str | None:
        if self.state.is_loading:
            return None
        if kept.messages:
            self.processor.set_messages(UIMessage.from_dict(message) for message in kept.messages)
        if not kept.interrupts:
            return kept.active_run
        self.questions.ask(Pause.of(kept.interrupts, self.thread_id, kept.interrupted_run or ""), "hydrate")
        return None

    async def _join(self, turn: Turn) -> None:
        await self._settled(turn, self._follow(turn))

    async def _follow(self, turn: Turn) -> bool:
        await replay(turn, self.turns, self.processor)
        return await self._finish(turn)

    # Events

    def _apply(self, chunk: Chunk) -> None:
        self._audience.tell("on_chunk", chunk)
        failure = chunk_failure(chunk)
        if failure is not None:
            self.state.report(failure)  # it says more than the event made up for it
        self.processor.process(chunk)
        if is_terminal(chunk):
            self._observe_end(chunk)

    def _observe_end(self, chunk: Chunk) -> None:
        outcome = chunk.get("outcome")
        if isinstance(outcome, Mapping) and outcome.get("type") == "interrupt" and not self._legacy:
            said = chunk.get("threadId")
            thread_id = said if isinstance(said, str) else self.thread_id
            run_id = self.state.run_id or str(chunk.get("runId"))
            self.questions.ask(Pause.of(outcome.get("interrupts") or (), thread_id, run_id))
        elif chunk["type"] == "RUN_FINISHED" and self.processor.finish_reason == "tool_calls" and not self._legacy:
            return
        elif chunk["type"] == "RUN_FINISHED" and self.questions.settled_by(chunk, self.state.run_id):
            self.questions.ask(None)
        self.turns.over()

    def messages_changed(self) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self._audience.tell("on_messages_change", self.processor.messages)

    def stream_started(self) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self.state.set_status("streaming")

    def stream_ended(self, message: UIMessage) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self._audience.tell("on_finish", message)
        self.state.set_status("ready")

    def stream_failed(self, error: Exception) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self.state.report(error)

    def tool_called(self, call_id: str, name: str, input: Any) -> None:  # noqa: A002
        """See :class:`~.writer.ProcessorEvents`."""
        self._tools.start(call_id, name, input)

    def custom_event(self, name: str, value: Any) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self._audience.tell(
            "on_custom_event", name, value, value.get("toolCallId") if isinstance(value, Mapping) else None
        )
