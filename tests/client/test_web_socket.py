"""One socket for all turns, and what becomes of a turn whose socket is lost."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from tokenwire.client import (
    AbortController,
    Chunk,
    ConnectionLostError,
    HttpError,
    ProtocolError,
    RunContext,
    StreamReconnectLimitError,
    TruncatedStreamError,
    web_socket,
)

from .raw_server import HELLO, Answer, RawServer, head, text
from .reading import AT_ONCE, QUESTION, RUN, Seen, answer, collect
from .socket_server import Peer, SocketServer

pytestmark = pytest.mark.anyio


async def until_end(chunks: Any, into: list[Chunk] | None = None) -> list[Chunk]:
    """The events of a turn."""
    seen = [] if into is None else into
    async for chunk in chunks:
        seen.append(chunk)
        if chunk["type"] in ("RUN_FINISHED", "RUN_ERROR"):
            return seen
    return seen


async def until_no_conversation() -> None:
    """Returns once no task of an adapter is left."""
    left = [task for task in asyncio.all_tasks() if "_Conversation" in repr(task.get_coro())]
    if left:
        _, hung = await asyncio.wait(left, timeout=10)
        assert not hung


async def test_turns_share_a_socket() -> None:
    async def serve(peer: Peer) -> None:
        for _ in range(3):
            assert await peer.receive() is not None
            await peer.send({"type": "ping"}, *HELLO, {"type": "ping"})
        assert await peer.receive() is None

    async with SocketServer(serve) as server:
        options = {"body": {"model": "a", "top": 1}, "headers": {"Authorization": "Bearer k"}, "protocols": ["chat"]}
        adapter = web_socket(f"{server.url}?region=eu", options)
        async with aclosing(adapter.subscribe()) as chunks:
            for number in range(3):
                run = RunContext(thread_id="t", run_id=f"run-{number}")
                await adapter.send(QUESTION, {"model": "b"}, None, run)
                assert await until_end(chunks) == HELLO
        (peer,) = server.peers
        assert peer.query == {"region": "eu", "runId": "run-0"}
        assert peer.headers["Authorization"] == "Bearer k"
        assert peer.socket.ws_protocol == "chat"
        assert [frame["runId"] for frame in peer.frames] == ["run-0", "run-1", "run-2"]
        assert peer.frames[0]["forwardedProps"] == {"model": "b", "top": 1}


@pytest.mark.parametrize("code", [None, 1000, 1008, 1011])
async def test_a_turn_goes_on_over_other_sockets(code: int | None) -> None:
    async def lose(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*HELLO[:2], offset="run")
        if code is None:
            peer.drop()
        else:
            await peer.socket.close(code=code)

    async def lose_again(peer: Peer) -> None:
        await peer.send(*HELLO[:4], offset="run")
        peer.drop()

    async def finish(peer: Peer) -> None:
        await peer.send(*HELLO[3:], offset="run", first=4)
        await peer.socket.close()

    async with SocketServer(lose, lose_again, finish) as server:
        assert await answer(web_socket(server.url, {"reconnect": AT_ONCE}), RUN) == HELLO
        assert [peer.query for peer in server.peers] == [
            {"runId": "run-1"},
            {"runId": "run-1", "offset": "run:2"},
            {"runId": "run-1", "offset": "run:4"},
        ]


async def test_a_turn_without_offsets_is_lost_with_its_socket() -> None:
    async def lose(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*HELLO[:3])
        await peer.socket.close()

    seen: list[Chunk] = []
    async with SocketServer(lose) as server:
        with pytest.raises(TruncatedStreamError):
            await answer(web_socket(server.url), RUN, seen)
    assert seen == HELLO[:3]


async def test_only_so_many_reconnects_in_a_row_may_bring_nothing_new() -> None:
    async def lose(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*HELLO[:3], offset="run")
        peer.drop()

    async def refuse(peer: Peer) -> None:
        await peer.socket.close(code=1008)

    async with SocketServer(lose, refuse, refuse) as server:
        with pytest.raises(StreamReconnectLimitError, match="3 reconnects"):
            await answer(web_socket(server.url, {"reconnect": {"max_attempts": 3, "delay": 0}}), RUN)


async def test_between_turns_a_lost_socket_is_no_error_and_the_next_turn_opens_another() -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*HELLO)
        await peer.socket.close(code=1000, message=b"idle")
        closed.release()

    closed = asyncio.Semaphore(0)
    async with SocketServer(serve, serve) as server:
        adapter = web_socket(server.url)
        async with aclosing(adapter.subscribe()) as chunks:
            for _ in range(2):
                await adapter.send(QUESTION, None, None, RUN)
                assert await until_end(chunks) == HELLO
                await closed.acquire()


async def test_stopping_tells_the_server_and_keeps_the_socket() -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await peer.send(text("Hel"))
        assert await peer.receive() == {"type": "abort", "runId": "run-1"}
        told.set()
        await peer.send(text("late"))
        assert (await peer.receive())["runId"] == "run-2"
        await peer.send(*HELLO)
        assert await peer.receive() is None

    controller, told = AbortController(), asyncio.Event()
    async with SocketServer(serve) as server:
        adapter = web_socket(server.url)
        async with aclosing(adapter.subscribe()) as chunks:
            await adapter.send(QUESTION, None, controller.signal, RUN)
            assert await anext(chunks) == text("Hel")
            controller.abort()
            await told.wait()
            await adapter.send(QUESTION, None, AbortController().signal, RunContext(run_id="run-2"))
            seen = await until_end(chunks)
        assert seen[-len(HELLO) :] == HELLO


async def test_aborting_a_turn_that_goes_on_over_another_socket_closes_it() -> None:
    async def lose(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*HELLO[:2], offset="run")
        peer.drop()

    async def hold(peer: Peer) -> None:
        await peer.send(HELLO[2], offset="run", first=3)
        assert await peer.receive() is None

    controller = AbortController()
    async with SocketServer(lose, hold) as server:
        adapter = web_socket(server.url, {"reconnect": AT_ONCE})
        async with aclosing(adapter.subscribe()) as chunks:
            await adapter.send(QUESTION, None, controller.signal, RUN)
            assert [await anext(chunks) for _ in range(3)] == HELLO[:3]
            controller.abort()
            await until_no_conversation()


async def test_closing_while_the_socket_opens_is_an_error_of_the_turn() -> None:
    async with RawServer([Answer([], "hang")]) as server:
        adapter = web_socket(server.url)
        sending = asyncio.create_task(adapter.send(QUESTION, None, None, RUN))
        await server.asked()
        await adapter.aclose()
        with pytest.raises(ConnectionLostError):
            await sending


async def test_aborting_while_the_socket_opens_asks_nothing() -> None:
    controller = AbortController()
    async with RawServer([Answer([], "hang")]) as server:
        adapter = web_socket(server.url)
        sending = asyncio.create_task(adapter.send(QUESTION, None, controller.signal, RUN))
        await server.asked()
        controller.abort()
        await sending
        await adapter.aclose()
        await server.hung_up()


async def test_the_subscription_ends_with_its_signal_and_takes_the_socket_along() -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await peer.send(text("Hel"))
        assert await peer.receive() is None

    controller = AbortController()
    async with SocketServer(serve) as server:
        adapter = web_socket(server.url)
        chunks = adapter.subscribe(controller.signal)
        await adapter.send(QUESTION, None, None, RUN)
        assert await anext(chunks) == text("Hel")
        asyncio.get_running_loop().call_soon(controller.abort)
        assert await collect(chunks) == []


async def test_every_subscriber_gets_every_event() -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await peer.send(*HELLO)
        assert await peer.receive() is None

    async with SocketServer(serve) as server:
        adapter = web_socket(server.url)
        async with aclosing(adapter.subscribe()) as one, aclosing(adapter.subscribe()) as other:
            await adapter.send(QUESTION, None, None, RUN)
            assert await until_end(one) == await until_end(other) == HELLO


@pytest.mark.parametrize("frame", ["oops", "null", '{"no":"type"}', b"bytes", "x" * 2000], ids=str)
async def test_what_is_no_event_is_an_error(frame: Any) -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await (peer.socket.send_bytes(frame) if isinstance(frame, bytes) else peer.socket.send_str(frame))
        await peer.receive()

    async with SocketServer(serve) as server:
        with pytest.raises(ProtocolError):
            await answer(web_socket(server.url, {"limits": {"event_bytes": 1000}}), RUN)


async def test_a_refused_handshake() -> None:
    async with RawServer([Answer([head("401 Unauthorized")])]) as server:
        with pytest.raises(HttpError) as caught:
            await answer(web_socket(f"{server.url}?key=secret"), RUN)
    assert (caught.value.status, caught.value.url) == (401, server.url)


async def test_nobody_there() -> None:
    async with RawServer() as server:
        url = server.url
    with pytest.raises(ConnectionLostError):
        await answer(web_socket(url), RUN)


async def test_a_silent_server_is_given_up() -> None:
    async def serve(peer: Peer) -> None:
        assert await peer.receive() is not None
        assert await peer.receive() is None

    async with SocketServer(serve) as server:
        with pytest.raises(TruncatedStreamError):
            await answer(web_socket(server.url, {"limits": {"silence": 0.05}}), RUN)


async def test_between_turns_silence_is_no_error() -> None:
    async def serve(peer: Peer) -> None:
        for _ in range(2):
            assert await peer.receive() is not None
            await peer.send(*HELLO)
        assert await peer.receive() is None

    async with SocketServer(serve) as server:
        adapter = web_socket(server.url, {"limits": {"silence": 0.1}})
        async with aclosing(adapter.subscribe()) as chunks:
            for _ in range(2):
                await adapter.send(QUESTION, None, None, RUN)
                assert await until_end(chunks) == HELLO
                await asyncio.sleep(0.2)
        assert len(server.peers) == 1


async def test_a_join_has_a_socket_of_its_own_and_goes_on() -> None:
    async def lose(peer: Peer) -> None:
        await peer.send(*HELLO[:2], offset="run")
        peer.drop()

    async def finish(peer: Peer) -> None:
        await peer.send(*HELLO, offset="run")
        await peer.socket.close()

    async with SocketServer(lose, finish) as server:
        assert await collect(web_socket(server.url, {"reconnect": AT_ONCE}).join_run("r9")) == HELLO
        assert [peer.query for peer in server.peers] == [
            {"offset": "-1", "runId": "r9"},
            {"offset": "run:2", "runId": "r9"},
        ]


async def test_a_join_that_is_refused() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.socket.close(code=1008)

    async with SocketServer(refuse) as server:
        with pytest.raises(ConnectionLostError, match="1008"):
            await collect(web_socket(server.url).join_run("r9"))


async def test_cancelling_a_turn_leaves_nothing_behind() -> None:
    async def serve(peer: Peer) -> None:
        await peer.receive()
        await peer.send(text("Hel"))
        assert await peer.receive() is None

    async with SocketServer(serve) as server:
        seen = Seen()
        reading = asyncio.create_task(answer(web_socket(server.url), RUN, seen))
        await seen.until(lambda: len(seen) == 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await until_no_conversation()
