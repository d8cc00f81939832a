"""What becomes of messages that are sent while an answer is under way."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tokenwire.client import ChatClient, MessageContent, QueuedMessage, QueuePolicy, Source
from tokenwire.client.parts import ImagePart, TextPart
from tokenwire.client.queue import WhenBusy

from .scripted import Held, Scripted, delta, says, shows

pytestmark = pytest.mark.anyio

PICTURE = ImagePart(source=Source("url", "http://pictures.test/1.png"))


async def busy(client: ChatClient) -> "asyncio.Task[None]":
    turn = asyncio.create_task(client.send_message("first"))
    await shows(client, "1")
    return turn


def said(client: ChatClient) -> list[str]:
    return [message.text for message in client.messages]


async def test_one_after_the_other() -> None:
    held, queues = Held("1"), list[list[Any]]()
    adapter = Scripted(held, says("2", message_id="m2"), says("3", message_id="m3"))
    async with ChatClient(
        adapter, on_queue_change=lambda queue: queues.append([each.content for each in queue])
    ) as client:
        turn = await busy(client)
        await client.send_message("second", {"n": 2})
        await client.send_message("third")
        held.release()
        await turn
        assert said(client) == ["first", "1", "second", "2", "third", "3"]
    assert queues == [["second"], ["second", "third"], ["third"], []]
    assert [request.data for request in adapter.requests] == [{}, {"n": 2}, {}]


@pytest.mark.parametrize(
    ("contents", "parts"),
    [
        (["second", "third"], [TextPart(content="second\nthird")]),
        (
            ["second", [PICTURE], MessageContent("third")],
            [TextPart(content="second"), PICTURE, TextPart(content="third")],
        ),
    ],
)
async def test_all_as_one(contents: Sequence[Any], parts: Sequence[Any]) -> None:
    held = Held("1")
    async with ChatClient(Scripted(held, says("2", message_id="m2")), queue=QueuePolicy(drain="batch")) as client:
        turn = await busy(client)
        for content in contents:
            await client.send_message(content)
        held.release()
        await turn
        assert list(client.messages[2].parts) == list(parts)
        assert len(client.messages) == 4


@pytest.mark.parametrize("by_call", [False, True])
async def test_drop(by_call: bool) -> None:
    held = Held("1")
    async with ChatClient(Scripted(held), queue="queue" if by_call else "drop") as client:
        turn = await busy(client)
        await client.send_message("second", when_busy="drop" if by_call else None)
        held.release()
        await turn
        assert said(client) == ["first", "1"]


async def test_interrupt_stops_the_answer_and_keeps_the_queue() -> None:
    held = Held("1", "never")
    adapter = Scripted(held, says("2", message_id="m2"), says("3", message_id="m3"))
    async with ChatClient(adapter) as client:
        turn = await busy(client)
        await client.send_message("third")
        when_busy: WhenBusy = "interrupt"
        await client.send_message("second", when_busy=when_busy)
        await turn
        assert said(client) == ["first", "1", "second", "2", "third", "3"]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (QueuePolicy(max_size=1), ["second"]),
        (QueuePolicy(max_size=1, on_overflow="drop-oldest"), ["third"]),
        (QueuePolicy(max_size=0, on_overflow="drop-oldest"), []),
    ],
)
async def test_a_full_queue(policy: QueuePolicy, kept: list[str]) -> None:
    held = Held("1")
    async with ChatClient(Scripted(held), queue=policy) as client:
        await busy(client)
        await client.send_message("second")
        await client.send_message("third")
        assert [message.content for message in client.queue] == kept


@pytest.mark.parametrize("forget", ["stop", "clear", "reload", "error"])
async def test_what_forgets_the_queue(forget: str) -> None:
    held = Held("1")

    async def fails(_: Any) -> Any:
        yield delta("1")
        await held.released()
        raise OSError("gone")

    adapter = Scripted(fails if forget == "error" else held, says("2", message_id="m2"))
    async with ChatClient(adapter) as client:
        turn = await busy(client)
        await client.send_message("second")
        assert client.queue
        if forget == "stop":
            client.stop()
        elif forget == "clear":
            client.clear()
        elif forget == "reload":
            await client.reload()
        held.release()
        await turn
        assert client.queue == []
        assert "second" not in said(client)


async def test_a_message_is_taken_back() -> None:
    held = Held("1")
    async with ChatClient(Scripted(held)) as client:
        turn = await busy(client)
        await client.send_message("second")
        waiting: QueuedMessage = client.queue[0]
        assert client.cancel_queued(waiting.id)
        assert not client.cancel_queued(waiting.id)
        held.release()
        await turn
        assert said(client) == ["first", "1"]


async def test_a_negative_size() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        QueuePolicy(max_size=-1)
