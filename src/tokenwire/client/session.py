"""The course of a chat: requests, what is shown of their answers, tools, pauses, and what follows from them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .connection import Chunk, ConnectionAdapter, Hydration, RunContext, chunk_run_id, is_terminal
from .errors import ClientError
from .interrupts import Interrupt, Pause, Resolver
from .legacy import LegacyProcessor
from .messages import Dialect, UIMessage, user_message
from .processor import StreamProcessor
from .queue import MessageContent, QueuedMessage, QueuePolicy, SendQueue, WhenBusy
from .state import Audience, ChatState, Snapshot, Status
from .strategies import ChunkStrategy
from .tools import ClientTool, ToolRunner
from .turns import Turn, Turns

_JOIN_PATIENCE = 2.0
"""Seconds in which a run that is joined has to show its first event (docs/wires/tanstack.md, 5.4)."""

_CONTENT = ("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TOOL_CALL_START", "REASONING_MESSAGE_CONTENT")


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
        self.pause: Pause | None = None
        self.queue = SendQueue(queue, lambda: audience.tell("queue", self.queue.waiting))
        self.turns = Turns(connection, self._apply, self.state.report)
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

    @property
    def interrupts(self) -> list[Interrupt]:
        """What waits for the user: all but the tools that the client runs, and what is answered already."""
        if self.pause is None:
            return []
        return [each for each in self.pause.open if each.kind != "client-tool" or not self._tools.runs(each.tool_name)]

    def snapshot(self) -> Snapshot:
        """All there is to show."""
        return Snapshot(
            messages=self.processor.messages,
            status=self.state.status,
            is_loading=self.state.is_loading,
            error=self.state.error,
            queue=self.queue.waiting,
            interrupts=self.interrupts,
            current_run_id=self.turns.run_id,
        )

    # Requests

    async def send(self, message: QueuedMessage, when_busy: WhenBusy | None) -> None:
        """Sends a message now, or does with it what the queue's policy says."""
        self.require_no_pause()
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
        await self._audience.ask("response")
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
            while not self.state.is_loading and self.pause is None and (message := self.queue.take()) is not None:
                if not await self._deliver(message):
                    return
        finally:
            self._draining = False

    # Endings

    def cancel(self, *, ready: bool) -> None:
        """Ends the request that is under way; what has come of its answer stays."""
        self._turn = None
        self.turns.cancel()
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
        self._set_pause(None)

    def clear(self) -> None:
        """Forgets the conversation."""
        if not self._legacy:
            if self.state.is_loading:
                self.cancel(ready=True)
            self.turns.dismiss()
            self.queue.clear()
            self._set_pause(None)
        self.processor.clear()
        self.state.set_error(None)

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
        answer = {"error": error} if error else output
        if self.pause is not None and self.pause.answer_tool(call_id, answer):
            await self.resume_if_whole()
        else:
            await self.after_turn(self.continue_if_complete)

    async def answer_approval(self, approval_id: str, approved: bool) -> None:
        """The user's decision; goes on when nothing else is missing."""
        self.processor.answer_approval(approval_id, approved)
        if self.pause is not None and self.pause.answer_approval(approval_id, approved):
            await self.resume_if_whole()
        else:
            await self.after_turn(self.continue_if_complete)

    async def resolve(self, resolver: Resolver) -> None:
        """Answers all that waits for the user."""
        if self.pause is not None:
            self.pause.resolve(self.interrupts, resolver)
            await self.resume_if_whole()

    async def resume_if_whole(self) -> None:
        """Goes on with the run, once everything it waits for is there."""
        pause = self.pause
        if pause is not None and pause.whole:
            self._audience.changed()
            await self.after_turn(lambda: self._resume(pause))

    async def _resume(self, pause: Pause) -> None:
        if self.pause is not pause or self.state.is_loading:
            return
        for answer in pause.resolutions():
            if isinstance(answer.payload, Mapping) and isinstance(answer.payload.get("approved"), bool):
                self.processor.answer_approval(answer.interrupt_id, answer.payload["approved"])
        await self.respond(pause=pause)
        if self.pause is pause:
            # The continuation failed: the questions are open again.
            pause.answers.clear()
            self._audience.changed()

    async def continue_if_complete(self) -> None:
        """Asks for the rest of an answer whose tools are all done."""
        if self.pause is not None or (self._stopped and not self._legacy):
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

    def require_no_pause(self) -> None:
        """Raises :class:`ClientError` while a run waits for answers."""
        if self.pause is not None:
            raise ClientError("A run waits for answers: resolve_interrupts() or cancel_interrupts() first.")

    # Coming back

    async def attach(self, run_id: str | None) -> None:
        """Fetches what the server keeps of the thread, and follows the run that is under way."""
        if self.state.is_loading:
            return
        hydrate = self.turns.connection.hydrate
        if run_id is None and hydrate is not None:
            run_id = self._hydrated(await hydrate(self.thread_id))
        elif run_id is None:
            run_id = self._left_run
        self._left_run = None
        if run_id is not None and self.turns.connection.join_run is not None and not self.state.is_loading:
            turn = self._begin(self.turns.begin(run_id), "streaming")
            self._keep(asyncio.create_task(self._join(turn)))

    def detach(self) -> None:
        """Stops following; the run goes on, and :meth:`attach` comes back to it."""
        if self._turn is not None:
            self._left_run = self._turn.run_id
            self.cancel(ready=True)

    def _hydrated(self, kept: Hydration) -> str | None:
        if self.state.is_loading:
            return None
        if kept.messages:
            self.processor.set_messages(UIMessage.from_dict(message) for message in kept.messages)
        if not kept.interrupts:
            return kept.active_run
        self._set_pause(Pause.of(kept.interrupts, self.thread_id, kept.interrupted_run or ""))
        return None

    async def _join(self, turn: Turn) -> None:
        await self._settled(turn, self._follow(turn))

    async def _follow(self, turn: Turn) -> bool:
        self.processor.prepare()
        attached = rebuilt = False

        def first(chunk: Chunk) -> None:
            nonlocal attached, rebuilt
            attached = True
            if not rebuilt and chunk.get("type") in _CONTENT:
                rebuilt = True
                # The replay tells the answer from its beginning.
                messages = self.processor.messages
                if messages and messages[-1].role == "assistant":
                    self.processor.set_messages(messages[:-1])

        try:
            await self.turns.join(turn, first, _JOIN_PATIENCE)
        except Exception:
            # A run that is not kept any more is no error: its answer is in the transcript.
            if attached:
                raise
        return await self._finish(turn)

    # Events

    def _apply(self, chunk: Chunk) -> None:
        self._audience.tell("chunk", chunk)
        self.processor.process(chunk)
        if is_terminal(chunk):
            self._observe_end(chunk)

    def _observe_end(self, chunk: Chunk) -> None:
        outcome = chunk.get("outcome")
        if isinstance(outcome, Mapping) and outcome.get("type") == "interrupt" and not self._legacy:
            thread_id = chunk.get("threadId")
            self._set_pause(
                Pause.of(
                    outcome.get("interrupts") or (),
                    thread_id if isinstance(thread_id, str) else self.thread_id,
                    self.turns.run_id or str(chunk.get("runId")),
                )
            )
        elif chunk["type"] == "RUN_FINISHED" and self.processor.finish_reason == "tool_calls" and not self._legacy:
            return
        elif chunk["type"] == "RUN_FINISHED" and self._is_answered_by(chunk):
            self._set_pause(None)
        self.turns.over()

    def _is_answered_by(self, chunk: Chunk) -> bool:
        pause = self.pause
        return pause is not None and (pause.whole or chunk_run_id(chunk) in (None, pause.run_id, self.turns.run_id))

    def messages_changed(self) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self._audience.tell("messages", self.processor.messages)

    def stream_started(self) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self.state.set_status("streaming")

    def stream_ended(self, message: UIMessage) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self._audience.tell("finish", message)
        self.state.set_status("ready")

    def stream_failed(self, error: Exception) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self.state.report(error)

    def tool_called(self, call_id: str, name: str, input: Any) -> None:  # noqa: A002
        """See :class:`~.writer.ProcessorEvents`."""
        self._tools.start(call_id, name, input)

    def custom_event(self, name: str, value: Any) -> None:
        """See :class:`~.writer.ProcessorEvents`."""
        self._audience.tell("custom", name, value, value.get("toolCallId") if isinstance(value, Mapping) else None)

    def _set_pause(self, pause: Pause | None) -> None:
        self.pause = pause
        self._audience.changed()
