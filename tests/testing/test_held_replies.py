"""Replies whose deltas the test lets go one by one, and what is known of a request meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream

pytestmark = pytest.mark.anyio

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


async def ask(client: AsyncOpenAI) -> AsyncStream[ChatCompletionChunk]:
    return await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)


async def deltas(chunks: AsyncStream[ChatCompletionChunk]) -> AsyncIterator[str]:
    async for chunk in chunks:
        for choice in chunk.choices:
            if choice.delta.content:
                yield choice.delta.content


async def test_deltas_go_one_step_at_a_time(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a", "b", "c", hold=True)
    async with await ask(client) as chunks:
        said = deltas(chunks)
        request = await upstream.received()
        assert request.sent == 0
        await request.step()
        assert request.sent == 1
        assert await anext(said) == "a"
        await request.step(2)
        assert request.sent == 3
        assert [await anext(said), await anext(said)] == ["b", "c"]
        assert not request.finished
        request.release()
        assert [delta async for delta in said] == []
        await request.wait_finished()
    assert request.closed is None


async def test_a_release_lets_the_rest_go(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a", "b", "c", hold=True)
    async with await ask(client) as chunks:
        request = await upstream.received()
        await request.step()
        request.release()
        assert [delta async for delta in deltas(chunks)] == ["a", "b", "c"]


async def test_a_held_head_waits_for_the_first_step(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a", hold="head")
    asking = asyncio.create_task(ask(client))
    request = await upstream.received()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asking), 0.05)
    await request.step(0)
    async with await asking as chunks:
        assert request.sent == 0
        request.release()
        assert [delta async for delta in deltas(chunks)] == ["a"]


async def test_one_write_waits_for_all_that_is_in_it(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.reply(Reply(text=("a", "b"), hold=True, write_sizes=ONE_WRITE))
    asking = asyncio.create_task(ask(client))
    request = await upstream.received()
    with pytest.raises(TimeoutError, match="2 deltas were to be sent"):
        await request.step(2, timeout=0.05)
    request.release()
    async with await asking as chunks:
        assert [delta async for delta in deltas(chunks)] == ["a", "b"]


async def test_a_whole_answer_waits_for_all_deltas(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a", "b", hold=True)
    asking = asyncio.create_task(client.chat.completions.create(model="m", messages=MESSAGES))
    request = await upstream.received()
    with pytest.raises(TimeoutError, match="1 deltas were to be sent"):
        await request.step(timeout=0.05)
    await request.step()
    assert (await asking).choices[0].message.content == "ab"


async def test_a_close_is_seen_between_two_deltas(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a", "b", hold=True)
    chunks = await ask(client)
    request = await upstream.received()
    await request.step()
    assert request.closed is None
    before = asyncio.get_running_loop().time()
    await chunks.close()
    closed = await request.wait_closed()
    assert closed == request.closed
    assert before <= closed <= asyncio.get_running_loop().time()
    assert (request.sent, request.finished) == (1, False)
    with pytest.raises(RuntimeError, match="before 2 deltas were sent"):
        await request.step()
    with pytest.raises(RuntimeError, match="the peer closed before the reply's end"):
        await request.wait_finished()


async def test_a_close_after_the_end_is_none(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a")
    async with await ask(client) as chunks:
        assert [delta async for delta in deltas(chunks)] == ["a"]
    await client.close()
    await upstream.until(lambda: upstream.open == 0)
    with pytest.raises(RuntimeError, match="did not close before"):
        await upstream.requests[0].wait_closed()


async def test_a_wait_in_vain_says_for_what(upstream: ScriptedUpstream, client: AsyncOpenAI) -> None:
    upstream.say("a", hold=True)
    async with await ask(client):
        with pytest.raises(TimeoutError, match=r"2 requests expected.*POST /v1/chat/completions"):
            await upstream.received(2, timeout=0)
        with pytest.raises(TimeoutError, match=r"the peer's close.*0 deltas sent, open"):
            await upstream.requests[0].wait_closed(timeout=0)
        with pytest.raises(TimeoutError, match="the reply's end"):
            await upstream.requests[0].wait_finished(timeout=0)
        with pytest.raises(ZeroDivisionError):
            await upstream.until(lambda: 1 // upstream.requests[0].sent > 0)


async def test_a_condition_that_breaks_later_breaks_its_own_wait(
    upstream: ScriptedUpstream, client: AsyncOpenAI
) -> None:
    upstream.say("a", "b", hold=True)
    async with await ask(client):
        request = await upstream.received()
        waiting = asyncio.create_task(upstream.until(lambda: 1 // (1 - request.sent) > 1))
        await request.step(2)
        with pytest.raises(ZeroDivisionError):
            await waiting


async def test_leaving_ends_what_is_held_and_blames_no_one(client: AsyncOpenAI) -> None:
    async with ScriptedUpstream() as upstream:
        upstream.say("a", hold=True)
        chunks = await ask(client.with_options(base_url=upstream.base_url))
        request = await upstream.received()
    assert (upstream.open, request.finished, request.closed) == (0, False, None)
    await chunks.close()
