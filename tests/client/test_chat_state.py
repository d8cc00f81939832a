"""What a chat tells of its connection, its runs and their questions, and how its options change."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tokenwire.client import ChatClient, Chunk, RunContext

from .scripted import Held, Request, Scripted, emits, says, shows

pytestmark = pytest.mark.anyio

_APPROVAL = {"id": "i1", "reason": "approval_required", "toolCallId": "c1"}


def listening(told: list[Any]) -> dict[str, Any]:
    """Callbacks that write down what they are told."""
    return {
        "on_subscription_change": lambda value: told.append(("subscribed", value)),
        "on_connection_status_change": lambda value: told.append(("connection", value)),
        "on_session_generating_change": lambda value: told.append(("generating", value)),
        "on_run_id_change": lambda value: told.append(("run", value)),
    }


class Broadcast:
    """A subscribe-mode adapter on which the server talks when the test wants; ``None`` ends the stream."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        self.left = asyncio.Event()

    async def subscribe(self) -> AsyncIterator[Chunk]:
        try:
            while (event := await self.events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.left.set()

    async def send(self, messages: Any, data: Any, _: Any, context: RunContext) -> None:
        request = Request(messages, data, context)
        self.events.put_nowait(request.started())
        self.events.put_nowait(request.finished())


async def test_one_turn_from_the_first_request_to_the_close() -> None:
    told: list[Any] = []
    adapter = Scripted(says("Hello"))
    async with ChatClient(adapter, **listening(told)) as client:
        assert (client.is_subscribed, client.connection_status) == (False, "disconnected")
        await client.send_message("hi")
        assert (client.is_subscribed, client.connection_status) == (True, "connected")
        assert (client.session_generating, client.current_run_id) == (False, None)
    assert told == [
        ("run", adapter.requests[0].context.run_id),
        ("subscribed", True),
        ("connection", "connecting"),
        ("connection", "connected"),
        ("generating", True),
        ("generating", False),
        ("run", None),
        ("subscribed", False),
        ("connection", "disconnected"),
    ]


async def test_runs_of_others_are_heard_of_while_subscribed() -> None:
    told: list[Any] = []
    adapter: Any = Broadcast()
    async with ChatClient(adapter, **listening(told)) as client:
        client.subscribe()
        client.subscribe()
        adapter.events.put_nowait({"type": "RUN_STARTED", "threadId": "t", "runId": "other"})
        adapter.events.put_nowait({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "Hi"})
        await shows(client, "Hi")
        assert (client.session_generating, client.current_run_id, client.is_loading) == (True, None, False)
        client.unsubscribe()
        assert (client.is_subscribed, client.connection_status) == (False, "disconnected")
        await adapter.left.wait()
    assert told == [
        ("subscribed", True),
        ("connection", "connecting"),
        ("connection", "connected"),
        ("generating", True),
        ("generating", False),
        ("subscribed", False),
        ("connection", "disconnected"),
    ]


@pytest.mark.parametrize(("last", "status"), [(OSError("gone"), "error"), (None, "disconnected")])
async def test_a_subscription_that_ends_by_itself_is_taken_up_by_the_next_request(last: Any, status: str) -> None:
    adapter: Any = Broadcast()
    ended = asyncio.Event()
    async with ChatClient(adapter) as client:
        client.subscribe()
        client.update_options(on_subscription_change=lambda _: ended.set())
        adapter.events.put_nowait(last)
        await ended.wait()
        await adapter.left.wait()
        assert (client.is_subscribed, client.connection_status, client.error) == (False, status, last)
        await client.send_message("hi")
        assert (client.is_subscribed, client.connection_status, client.error) == (True, "connected", None)


async def test_unsubscribing_stops_the_answer() -> None:
    held = Held("Hel", "lo")
    async with ChatClient(Scripted(held)) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await shows(client, "Hel")
        await client.send_message("queued")
        client.unsubscribe()
        await turn
        assert (client.status, client.queue, client.session_generating) == ("ready", [], False)


async def test_a_callback_that_stops_the_run_leaves_nothing_generating() -> None:
    async with ChatClient(Scripted(says("Hello"))) as client:
        client.update_options(on_chunk=lambda _: client.stop())
        await client.send_message("hi")
        assert (client.session_generating, client.current_run_id) == (False, None)


async def test_a_question_from_asking_to_its_answer() -> None:
    told: list[Any] = []
    outcome = {"type": "interrupt", "interrupts": [_APPROVAL]}
    adapter = Scripted(emits(outcome=outcome), says("Done"))
    async with ChatClient(adapter, thread_id="t") as client:
        client.update_options(
            on_resume_state_change=lambda state, interrupts: told.append((state and state.run_id, len(interrupts))),
            on_interrupt_state_change=lambda state, source: told.append(
                (len(state.interrupts), state.resuming, source)
            ),
        )
        await client.send_message("hi")
        asked = adapter.requests[0].context.run_id
        assert told == [(asked, 1), (1, False, "live")]
        told.clear()
        await client.resolve_interrupts(True)
        assert (client.resuming, client.interrupts) == (False, [])
    assert told == [
        *((asked, 0), (0, False, "live")),
        *((asked, 0), (0, True, "live")),
        *((None, 0), (0, True, "live")),
        *((None, 0), (0, False, "live")),
    ]


async def test_options_change_and_the_rest_stays() -> None:
    def answer() -> str:
        """Answers."""
        return "42"

    first, second = Scripted(Held("Hel")), Scripted(says("Hello", message_id="m2"), says("Again", message_id="m3"))
    finished: list[str] = []
    async with ChatClient(first, body={"a": 1}, on_finish=lambda message: finished.append(message.text)) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await shows(client, "Hel")
        client.update_options(connection=second, forwarded_props={"b": 2}, tools=[answer])
        await turn
        assert (first.closed, client.status, client.is_subscribed) == (1, "ready", True)
        await client.send_message("more")
        client.update_options(body={"a": 3}, on_finish=None)
        await client.send_message("and more")
    assert [request.data for request in second.requests] == [{"a": 1, "b": 2}, {"a": 3, "b": 2}]
    assert [tool["name"] for tool in second.requests[0].context.client_tools] == ["answer"]
    assert finished == ["Hello"]


async def test_what_is_no_option() -> None:
    client = ChatClient(Scripted())
    with pytest.raises(TypeError, match="on_chunck"):
        client.update_options(on_chunck=None)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Connection adapter"):
        client.update_options(connection=object())  # type: ignore[arg-type]
    assert client.connection_status == "disconnected"
