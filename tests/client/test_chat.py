"""One conversation: what is shown, what is sent, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokenwire.client import (
    AbortSignal,
    ChatClient,
    Chunk,
    ClientError,
    HttpError,
    Hydration,
    RunContext,
    RunFailed,
    Snapshot,
    UIMessage,
)

from .scripted import Held, Request, Scripted, delta, emits, says, shows

pytestmark = pytest.mark.anyio


def texts(client: ChatClient) -> list[str]:
    return [message.text for message in client.messages]


async def test_a_turn_is_told_step_by_step() -> None:
    told: list[Any] = []
    async with ChatClient(
        Scripted(says("Hel", "lo")),
        on_response=lambda: told.append("response"),
        on_status_change=told.append,
        on_loading_change=told.append,
        on_chunk=lambda chunk: told.append(chunk["type"]),
        on_finish=lambda message: told.append(message.text),
    ) as client:
        await client.send_message("hi")
        assert texts(client) == ["hi", "Hello"]
        assert client.current_run_id is None
    content = "TEXT_MESSAGE_CONTENT"
    started = [True, "submitted", "response", "RUN_STARTED", content, "streaming", content]
    assert told == [*started, "RUN_FINISHED", "Hello", "ready", False]


async def test_async_callbacks_run_and_are_waited_for_at_the_end() -> None:
    finished: list[str] = []

    async def on_finish(message: UIMessage) -> None:
        await asyncio.sleep(0)
        finished.append(message.text)

    async with ChatClient(Scripted(says("Hello")), on_finish=on_finish) as client:
        await client.send_message("hi")
    assert finished == ["Hello"]


async def test_an_async_callback_may_send_the_next_message() -> None:
    adapter = Scripted(says("one"), says("two", message_id="m2"))

    async def on_finish(message: UIMessage) -> None:
        if message.text == "one":
            await client.send_message("and?")

    async with ChatClient(adapter, on_finish=on_finish) as client:
        await client.send_message("hi")
        await shows(client, "two")
    assert texts(client) == ["hi", "one", "and?", "two"]


async def test_an_older_list_of_messages_shows_what_it_showed() -> None:
    seen: list[list[UIMessage]] = []
    async with ChatClient(Scripted(says("a", "b")), on_messages_change=seen.append) as client:
        await client.send_message("hi")
    assert [[message.text for message in messages] for messages in seen] == [
        ["hi"],
        ["hi", ""],
        ["hi", "a"],
        ["hi", "ab"],
    ]


async def test_stop_keeps_what_was_said_and_adds_nothing() -> None:
    held = Held("Hel", "lo")
    adapter = Scripted(held, says("Again", message_id="m2"))
    finished: list[str] = []
    async with ChatClient(adapter, on_finish=lambda message: finished.append(message.text)) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await shows(client, "Hel")
        client.stop()
        assert (client.status, client.is_loading, client.error) == ("ready", False, None)
        held.release()
        await turn
        assert texts(client) == ["hi", "Hel"]
        assert adapter.closed == 1
        assert finished == []
        await client.send_message("more")
        assert texts(client) == ["hi", "Hel", "more", "Again"]


async def test_stop_in_a_burst_shows_nothing_more() -> None:
    def on_chunk(chunk: Chunk) -> None:
        if chunk.get("delta") == "b":
            client.stop()

    async with ChatClient(Scripted(says("a", "b", "c", "d")), on_chunk=on_chunk) as client:
        await client.send_message("hi")
        assert "c" not in texts(client)[-1]


async def test_cancelling_the_task_stops_the_answer() -> None:
    held = Held("Hel", "lo")
    adapter = Scripted(held, says("Again", message_id="m2"))
    async with ChatClient(adapter) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await shows(client, "Hel")
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert (client.status, client.is_loading, texts(client)) == ("ready", False, ["hi", "Hel"])
        assert adapter.closed == 1
        await client.send_message("more")
        assert texts(client)[-1] == "Again"


async def test_a_timeout_around_a_turn_is_a_stop() -> None:
    async with ChatClient(Scripted(Held("Hel"))) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.send_message("hi")
        assert (client.status, texts(client)) == ("ready", ["hi", "Hel"])


async def test_nothing_is_left_running_between_turns() -> None:
    before = asyncio.all_tasks()
    client = ChatClient(Scripted(says("Hello")))
    await client.send_message("hi")
    assert asyncio.all_tasks() == before


async def test_two_clients_in_a_task_group() -> None:
    async with ChatClient(Scripted(says("a"))) as one, ChatClient(Scripted(says("b"))) as two:
        async with asyncio.TaskGroup() as group:
            group.create_task(one.send_message("hi"))
            group.create_task(two.send_message("hi"))
        assert (texts(one)[-1], texts(two)[-1]) == ("a", "b")


async def test_a_failing_connection_shows_what_came_before_it() -> None:
    async def answer(request: Request) -> AsyncIterator[Chunk]:
        yield request.started()
        yield delta("Hel")
        yield delta("lo")
        raise HttpError(503, "Service Unavailable")

    errors: list[Exception] = []
    async with ChatClient(Scripted(answer), on_error=errors.append) as client:
        await client.send_message("hi")
        assert isinstance(client.error, HttpError)
        assert errors == [client.error]
        assert (client.status, texts(client)) == ("error", ["hi", "Hello"])


async def test_what_comes_between_a_tool_turn_and_a_failure_is_shown() -> None:
    async def answer(request: Request) -> AsyncIterator[Chunk]:
        yield request.started()
        yield request.finished("tool_calls")
        for text in ("Hel", "l", "o"):
            yield delta(text)
        raise HttpError(503, "Service Unavailable")

    errors: list[Exception] = []
    async with ChatClient(Scripted(answer), on_error=errors.append) as client:
        await client.send_message("hi")
        assert isinstance(client.error, HttpError)
        assert errors == [client.error]
        assert (client.status, texts(client)) == ("error", ["hi", "Hello"])


async def test_an_adapter_that_knows_of_no_signal_does_not_keep_the_chat_open() -> None:
    class Deaf:
        closed = False
        begun = asyncio.Event()

        async def subscribe(self) -> AsyncIterator[Chunk]:
            self.begun.set()
            try:
                await asyncio.Event().wait()
                yield {}
            finally:
                self.closed = True

        async def send(self, messages: Any) -> None: ...

    adapter: Any = Deaf()
    async with ChatClient(adapter) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await adapter.begun.wait()
    await turn
    assert adapter.closed


async def test_a_run_that_fails_is_an_error_and_the_next_turn_forgets_it() -> None:
    failure = {"type": "RUN_ERROR", "message": "no luck", "code": "upstream_error"}

    async def answer(request: Request) -> AsyncIterator[Chunk]:
        yield request.started()
        yield failure

    async with ChatClient(Scripted(answer, says("Hello"))) as client:
        await client.send_message("hi")
        assert isinstance(client.error, RunFailed)
        assert (client.error.message, client.error.code) == ("no luck", "upstream_error")
        await client.send_message("again")
        assert client.status == "ready"
        assert texts(client)[-1] == "Hello"


async def test_a_callback_that_raises_is_an_error_not_a_hang() -> None:
    def on_chunk(chunk: Chunk) -> None:
        raise LookupError(chunk["type"])

    async with ChatClient(Scripted(says("Hello")), on_chunk=on_chunk) as client:
        await client.send_message("hi")
        assert isinstance(client.error, LookupError)


async def test_reload_in_the_middle_of_an_answer_drops_it() -> None:
    held = Held("Hel", "lo")
    async with ChatClient(Scripted(held, says("Better", message_id="m2"))) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await shows(client, "Hel")
        await client.reload()
        held.release()
        await turn
        assert (texts(client), client.status) == (["hi", "Better"], "ready")


@pytest.mark.parametrize(("dialect", "left"), [("new", []), ("legacy", ["Hello"])])
async def test_clear_in_the_middle_of_an_answer(dialect: Any, left: list[str]) -> None:
    held = Held("Hel", "lo")
    async with ChatClient(Scripted(held), dialect=dialect) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await shows(client, "Hel")
        client.clear()
        held.release()
        await turn
        assert (len(texts(client)), client.is_loading) == (len(left), False)


async def test_legacy_names_the_conversation_and_ignores_what_is_sent_meanwhile() -> None:
    held = Held("Hel", "lo")
    adapter = Scripted(held)
    async with ChatClient(adapter, dialect="legacy", thread_id="c1", body={"a": 1}) as client:
        turn = asyncio.create_task(client.send_message("hi", {"b": 2}))
        await held.begun.wait()
        await client.send_message("ignored")
        held.release()
        await turn
        assert texts(client) == ["hi", "Hello"]
    assert adapter.requests[0].data == {"a": 1, "b": 2, "conversationId": "c1"}
    assert adapter.requests[0].context.dialect == "legacy"


async def test_snapshots_begin_now_skip_to_the_newest_and_end_with_the_client() -> None:
    client = ChatClient(Scripted(says("Hel", "lo")))
    snapshots = client.snapshots()
    first = await anext(snapshots)
    assert (list(first.messages), first.status) == ([], "ready")
    await client.send_message("hi")
    newest = await anext(snapshots)
    assert [message.text for message in newest.messages] == ["hi", "Hello"]
    await client.aclose()
    rest: list[Snapshot] = [snapshot async for snapshot in snapshots]
    assert [(list(each.messages), each.is_subscribed) for each in rest] == [(list(newest.messages), False)]


class Pushing:
    """A subscribe-mode adapter over one queue; a request is answered when the test pushes."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Chunk] = asyncio.Queue()
        self.contexts: list[RunContext] = []
        self.signals: list[AbortSignal] = []

    async def subscribe(self, abort_signal: AbortSignal | None = None) -> AsyncIterator[Chunk]:
        assert abort_signal is not None
        while not abort_signal.aborted:
            waits = asyncio.ensure_future(self.events.get()), asyncio.ensure_future(abort_signal.wait())
            done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in pending:
                wait.cancel()
            if waits[0] in done:
                yield waits[0].result()
                self.events.task_done()

    async def send(
        self,
        messages: Any,  # noqa: ARG002
        data: Any = None,  # noqa: ARG002
        abort_signal: AbortSignal | None = None,
        run_context: RunContext | None = None,
    ) -> None:
        assert run_context is not None
        assert abort_signal is not None
        self.contexts.append(run_context)
        self.signals.append(abort_signal)

    def push(self, *chunks: Chunk) -> None:
        for chunk in chunks:
            self.events.put_nowait(chunk)


async def test_subscribe_mode_ends_with_the_terminal_event_and_keeps_its_reader() -> None:
    adapter = Pushing()
    async with ChatClient(adapter) as client:
        for number in (1, 2):
            adapter.push(delta("Hello", f"m{number}"), {"type": "RUN_FINISHED", "runId": "r", "finishReason": "stop"})
            await client.send_message("hi")
        assert texts(client) == ["hi", "Hello", "hi", "Hello"]
        assert len(adapter.contexts) == 2


async def test_subscribe_mode_leaves_aside_what_comes_after_stop() -> None:
    adapter = Pushing()
    async with ChatClient(adapter) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        adapter.push({"type": "RUN_STARTED", "runId": "r1"}, delta("Hel"))
        await shows(client, "Hel")
        client.stop()
        await turn
        assert adapter.signals[0].aborted
        late = {"type": "RUN_ERROR", "runId": "r1", "message": "aborted"}
        adapter.push(delta("lo"), late)
        await adapter.events.join()
        adapter.push({"type": "RUN_STARTED", "runId": "r2"}, delta("Again", "m2"))
        adapter.push({"type": "RUN_FINISHED", "runId": "r2", "finishReason": "stop"})
        await client.send_message("more")
        assert (texts(client), client.error) == (["hi", "Hel", "more", "Again"], None)


class Kept(Scripted):
    """A server that keeps a thread with a run under way."""

    def __init__(self, hydration: Hydration, *replay: Chunk) -> None:
        super().__init__()
        self._hydration = hydration
        self._replay = replay
        self.joined: list[str] = []
        self.released = asyncio.Event()

    async def hydrate(self, _thread_id: str) -> Hydration:
        return self._hydration

    async def join_run(self, run_id: str, _abort_signal: AbortSignal) -> AsyncIterator[Chunk]:
        self.joined.append(run_id)
        for chunk in self._replay:
            yield chunk
        await self.released.wait()
        yield {"type": "RUN_FINISHED", "runId": run_id, "finishReason": "stop"}


QUESTION = {"id": "u1", "role": "user", "parts": [{"type": "text", "content": "hi"}]}
HALF = {"id": "m1", "role": "assistant", "parts": [{"type": "text", "content": "He"}]}


async def test_attach_brings_the_transcript_and_rebuilds_the_answer_under_way() -> None:
    adapter = Kept(Hydration([QUESTION, HALF], active_run="r1"), delta("Hel"), delta("lo"))
    async with ChatClient(adapter, thread_id="t1") as client:
        await client.attach()
        assert (client.status, client.current_run_id) == ("streaming", "r1")
        await shows(client, "Hello")
        adapter.released.set()
        async for snapshot in client.snapshots():
            if not snapshot.is_loading:
                break
        assert (texts(client), client.status) == (["hi", "Hello"], "ready")


async def test_detach_leaves_the_run_and_attach_comes_back_to_it() -> None:
    adapter = Kept(Hydration([QUESTION], active_run="r1"), delta("Hello"))
    async with ChatClient(adapter, thread_id="t1") as client:
        await client.attach()
        await shows(client, "Hello")
        client.detach()
        assert (client.status, client.is_loading) == ("ready", False)
        await client.attach()
        await shows(client, "Hello")
        assert texts(client) == ["hi", "Hello"]
    assert adapter.joined == ["r1", "r1"]


async def test_attach_to_a_paused_run_asks_again() -> None:
    asks = {"id": "a1", "reason": "approval_required", "toolCallId": "c1", "metadata": {"kind": "approval"}}
    adapter = Kept(Hydration([QUESTION], active_run="r1", interrupted_run="r0", interrupts=[asks]))
    async with ChatClient(adapter, thread_id="t1") as client:
        await client.attach()
        assert [interrupt.id for interrupt in client.interrupts] == ["a1"]
        assert adapter.joined == []
        with pytest.raises(ClientError):
            await client.send_message("hello?")


async def test_custom_events_reach_the_application() -> None:
    events: list[Any] = []
    mine = {"type": "CUSTOM", "name": "mine", "value": {"toolCallId": "c1"}}
    async with ChatClient(
        Scripted(emits(mine, delta("x"))), on_custom_event=lambda *each: events.append(each)
    ) as client:
        await client.send_message("hi")
    assert events == [("mine", {"toolCallId": "c1"}, "c1")]


async def test_an_adapter_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^Connection adapter is required$"):
        ChatClient()
