"""A chat: the twin of the JavaScript ``ChatClient`` that ``useChat`` drives (docs/wires/tanstack.md, *Client
behaviour*)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from .callbacks import Callbacks
from .connection import ConnectionAdapter
from .interrupts import Interrupt, Resolver
from .messages import Dialect, UIMessage, new_id, ui_message
from .queue import Content, QueuedMessage, QueuePolicy, WhenBusy
from .session import Session
from .state import Audience, ConnectionStatus, Snapshot, Status
from .strategies import ChunkStrategy
from .tools import ClientTool, Execute, tools_by_name

if TYPE_CHECKING:
    from .sync import SyncChatClient


class ChatClient:
    """One conversation with a server.

    :param connection: an adapter; :func:`~tokenwire.client.stream` makes one of an async generator function.
    :param thread_id: names the conversation; made up by default.
    :param dialect: the generation of JavaScript clients to speak like.
    :param body: data for every request; gives way to ``forwarded_props``, and both to the ``body`` of one message.
    :param tools: what runs in the client: functions, or :class:`~tokenwire.client.ClientTool`.
    :param chunk_strategy: when streamed text is shown; at once by default.
    :param queue: what becomes of messages that are sent while an answer is under way.
    :param callbacks: see :class:`~tokenwire.client.Callbacks`; they are called where the change happens.

    A request that fails raises nothing: it shows in ``error`` and ``status``. A client belongs to the event loop that
    it is used in; ``async with`` closes it. Raises :class:`ValueError` for an adapter that is neither of both kinds.
    """

    def __init__(
        self,
        connection: ConnectionAdapter | None = None,
        *,
        thread_id: str | None = None,
        dialect: Dialect = "new",
        initial_messages: Iterable[UIMessage | Mapping[str, Any]] = (),
        body: Mapping[str, Any] | None = None,
        forwarded_props: Mapping[str, Any] | None = None,
        tools: Sequence[ClientTool | Execute] = (),
        chunk_strategy: ChunkStrategy | None = None,
        queue: QueuePolicy | WhenBusy = "queue",
        **callbacks: Unpack[Callbacks],
    ) -> None:
        self.body: Mapping[str, Any] = body or {}
        self.forwarded_props: Mapping[str, Any] = forwarded_props or {}
        self._audience = Audience()
        self._listen(callbacks)
        self._session = Session(
            connection,
            thread_id=thread_id or new_id("thread" if dialect == "new" else "chat"),
            dialect=dialect,
            messages=[ui_message(message) for message in initial_messages],
            strategy=chunk_strategy,
            props=lambda: {**self.body, **self.forwarded_props},
            tools=tools_by_name(tools),
            queue=_policy(queue),
            audience=self._audience,
        )

    @property
    def thread_id(self) -> str:
        """Names the conversation."""
        return self._session.thread_id

    @property
    def messages(self) -> list[UIMessage]:
        """The conversation as it is shown; the list is the caller's, the messages do not change."""
        return self._session.processor.messages

    @property
    def status(self) -> Status:
        """``ready``, ``submitted`` (nothing of the answer yet), ``streaming`` or ``error``."""
        return self._session.state.status

    @property
    def is_loading(self) -> bool:
        """Whether a request is under way."""
        return self._session.state.is_loading

    @property
    def error(self) -> Exception | None:
        """What the last request failed of."""
        return self._session.state.error

    @property
    def queue(self) -> list[QueuedMessage]:
        """The messages that wait to be sent."""
        return self._session.queue.waiting

    @property
    def interrupts(self) -> list[Interrupt]:
        """What the run waits for the user to answer."""
        return self._session.questions.open

    @property
    def current_run_id(self) -> str | None:
        """The run that is under way; not one that another client began."""
        return self._session.state.run_id

    @property
    def resuming(self) -> bool:
        """Whether the answers to ``interrupts`` are on their way."""
        return self._session.questions.resuming

    @property
    def is_subscribed(self) -> bool:
        """Whether the chat listens to its connection: from the first request, or :meth:`subscribe`, on."""
        return self._session.state.is_subscribed

    @property
    def connection_status(self) -> ConnectionStatus:
        """``disconnected``, ``connecting`` (nothing came yet), ``connected`` or ``error``."""
        return self._session.state.connection_status

    @property
    def session_generating(self) -> bool:
        """Whether the server works on a run, of this client or another, as far as the connection tells."""
        return self._session.state.session_generating

    async def send_message(
        self, content: Content, body: Mapping[str, Any] | None = None, *, when_busy: WhenBusy | None = None
    ) -> None:
        """Sends what the user says. Returns when the answer is over, with all that follows by itself.

        Text is stripped, and blank text ignored. While an answer is under way the message is queued and this returns
        at once (``when_busy`` overrules the policy); in the legacy dialect it is ignored. Cancelling the task stops
        the answer as :meth:`stop` does.

        :raises ClientError: a run waits for answers to its ``interrupts``.
        """
        if isinstance(content, str):
            content = content.strip()
            if not content:
                return
        await self._session.send(QueuedMessage(content, body), when_busy)

    async def append(self, message: UIMessage | Mapping[str, Any]) -> None:
        """Adds a message, a row with ``role`` and ``content`` too, and asks; while an answer is under way, after it.

        System messages are ignored. Raises as :meth:`send_message`.
        """
        self._session.questions.require_none()
        said = ui_message(message)
        if said.role != "system":
            self._session.processor.add(said)
            await self._session.after_turn(self._session.respond)

    async def reload(self) -> None:
        """Asks again for the answer to the last user message; what came after that is dropped."""
        messages = self.messages
        last = next((index for index in reversed(range(len(messages))) if messages[index].role == "user"), None)
        if last is None:
            return
        if self.is_loading:
            self._session.cancel(ready=False)
        self._session.queue.clear()
        self._session.processor.cut_after(last)
        await self._session.respond()

    def stop(self) -> None:
        """Stops the answer. What has come of it stays, nothing more is added; the queue and interrupts are dropped."""
        self._session.stop()

    def clear(self) -> None:
        """Drops all messages and the error. A running answer is stopped; in the legacy dialect it goes on."""
        self._session.clear()

    def set_messages(self, messages: Iterable[UIMessage | Mapping[str, Any]]) -> None:
        """Replaces the conversation."""
        self._session.processor.set_messages([ui_message(message) for message in messages])

    def cancel_queued(self, message_id: str) -> bool:
        """Takes a queued message back; false when it does not wait any more."""
        return self._session.queue.cancel(message_id)

    async def add_tool_result(self, tool_call_id: str, output: Any = None, *, error: str | None = None) -> None:
        """What a tool without a function gave, or failed of. Goes on when all calls of the answer have theirs."""
        await self._session.add_result(tool_call_id, output, error)

    async def add_tool_approval_response(self, approval_id: str, approved: bool) -> None:
        """Whether a call may run. Goes on when everything the run waits for is answered."""
        await self._session.answer_approval(approval_id, approved)

    async def resolve_interrupts(self, answer: Resolver) -> None:
        """Answers everything in ``interrupts``, and returns when the answer that follows is over.

        ``answer`` is yes or no to all approvals, or a function that is called with each :class:`Interrupt` and returns
        a bool or what one of its methods gives: ``lambda each: each.approve({"amount": 5})``. When the request fails
        they are all open again.

        :raises ClientError: yes or no to what is no approval.
        """
        await self._session.questions.resolve(answer)

    async def cancel_interrupts(self) -> None:
        """Tells the server that none of ``interrupts`` will be answered, and returns when that request is over."""
        await self._session.questions.resolve(Interrupt.cancel)

    def subscribe(self) -> None:
        """Listens without a request, to runs that others begin too where the connection tells of them."""
        self._session.turns.subscribe()

    def unsubscribe(self) -> None:
        """Stops the answer, drops the queue and listens no more, until :meth:`subscribe` or the next request."""
        self._session.unsubscribe()

    def update_options(
        self,
        *,
        connection: ConnectionAdapter | None = None,
        body: Mapping[str, Any] | None = None,
        forwarded_props: Mapping[str, Any] | None = None,
        tools: Sequence[ClientTool | Execute] | None = None,
        queue: QueuePolicy | WhenBusy | None = None,
        **callbacks: Unpack[Callbacks],
    ) -> None:
        """Replaces what is given and keeps the rest; a callback that is ``None`` is taken away.

        An answer that is under way over another connection is stopped. Raises :class:`ValueError` as the constructor,
        and changes nothing then.
        """
        if connection is not None:
            self._session.connect(connection)
        if body is not None:
            self.body = body
        if forwarded_props is not None:
            self.forwarded_props = forwarded_props
        if tools is not None:
            self._session.use_tools(tools_by_name(tools))
        if queue is not None:
            self._session.queue.policy = _policy(queue)
        self._listen(callbacks)

    async def attach(self, run_id: str | None = None) -> None:
        """Comes back to a conversation, as far as the connection can: fetches the transcript that the server keeps,
        then follows the run that is under way there (or ``run_id``, or the one that :meth:`detach` left).

        Returns once it follows. Raises what fetching the transcript raises, unless there is a run to follow without it.
        """
        await self._session.attach(run_id)

    def detach(self) -> None:
        """Stops following the answer without stopping it: the server may go on with it until :meth:`attach`.

        To an adapter this is an abort whose reason is :data:`.abort.DETACHED`.
        """
        self._session.detach()

    def snapshots(self) -> AsyncGenerator[Snapshot, None]:
        """All that is shown: now, and after changes until the client is closed. Who is slow gets the newest only."""
        return self._audience.snapshots(self._session.snapshot)

    def sync(self) -> SyncChatClient:
        """This chat for code that does not await: ``with ChatClient(connection).sync() as chat: …``

        It belongs to the loop of a thread of its own then, and must not have been used before.
        """
        from .sync import SyncChatClient

        return SyncChatClient(self)

    def _listen(self, callbacks: Callbacks) -> None:
        unknown = sorted(set(callbacks) - set(Callbacks.__annotations__))
        if unknown:
            raise TypeError(f"A chat has no option {unknown[0]!r}.")
        self._audience.listen(callbacks)

    async def aclose(self) -> None:
        """Stops what is under way and waits until nothing is left of it."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _policy(queue: QueuePolicy | WhenBusy) -> QueuePolicy:
    return queue if isinstance(queue, QueuePolicy) else QueuePolicy(when_busy=queue)
