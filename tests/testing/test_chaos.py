"""The chaos proxy between a bare socket and a server that says a fixed thing."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from tokenwire.testing import ChaosProxy, Cut, Fault, Refuse, Stall
from tokenwire.testing.fault import Ending

pytestmark = pytest.mark.anyio

ASKED = b"a question"
SAID = bytes(range(256)) * 4


class Server:
    """Reads the question, says its thing, and waits for the other to end."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.ended = asyncio.Queue[str]()

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.heard)
        self.heard.append(b"")
        try:
            while data := await reader.read(100):
                self.heard[number] += data
                if self.heard[number] == ASKED:
                    writer.write(SAID)
            end = "closed"
        except ConnectionResetError:
            end = "reset"
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.ended.put_nowait(end)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read_all(self) -> tuple[bytes, str]:
        """What arrives until the end, and which end that is."""
        read = b""
        try:
            async with asyncio.timeout(10):
                while data := await self.reader.read(1 << 16):
                    read += data
        except ConnectionResetError:
            return read, "reset"
        return read, "closed"


@asynccontextmanager
async def asking(proxy: ChaosProxy, question: bytes = ASKED) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    try:
        writer.write(question)
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


async def test_without_a_fault_everything_passes_both_ways_and_is_counted(server: Server) -> None:
    async with ChaosProxy(server.url) as proxy:
        async with asking(proxy) as client:
            assert await client.reader.readexactly(len(SAID)) == SAID
            client.writer.write_eof()
            assert await client.read_all() == (b"", "closed")
        assert await server.ended.get() == "closed"
        await proxy.until(lambda: proxy.open == 0)
        traffic = proxy.traffic
    assert server.heard == [ASKED]
    assert (traffic.connections, traffic.faults) == (1, 0)
    assert (traffic.to_client, traffic.to_server) == (len(SAID), len(ASKED))


@pytest.mark.parametrize(("ending", "seen"), [("close", "closed"), ("reset", "reset")])
async def test_a_cut_lets_exactly_that_many_bytes_pass(server: Server, ending: Ending, seen: str) -> None:
    places = [0, 1, 2, 255, 256, 1000, len(SAID) - 1, len(SAID)]
    async with ChaosProxy(server.url, [Cut(place, ending) for place in places]) as proxy:
        for place in places:
            async with asking(proxy) as client:
                assert await client.read_all() == (SAID[:place], seen)
            assert await server.ended.get() in ("closed", "reset")
        assert proxy.traffic.faults == len(places)
        assert proxy.traffic.to_client == sum(places)
    assert server.heard == [ASKED] * len(places)


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_cut_towards_the_server_lets_exactly_that_many_bytes_pass(server: Server, ending: Ending) -> None:
    places = range(len(ASKED))
    faults = [Cut(place, ending, towards="server") for place in places]
    async with ChaosProxy(server.url, faults) as proxy:
        for place in places:
            async with asking(proxy) as client:
                assert (await client.read_all())[0] == b""
            assert await server.ended.get() in ("closed", "reset")
            assert server.heard[place] == ASKED[:place]
        assert proxy.traffic.to_server == sum(places)


async def test_a_place_is_counted_over_all_that_passes(server: Server) -> None:
    async with ChaosProxy(server.url, [Cut(7, towards="server")]) as proxy:
        async with asking(proxy, ASKED[:4]) as client:
            await proxy.until(lambda: proxy.traffic.to_server == 4)
            client.writer.write(ASKED[4:])
            assert (await client.read_all())[0] == b""
        await server.ended.get()
    assert server.heard == [ASKED[:7]]


async def test_a_fault_past_the_end_does_not_happen(server: Server) -> None:
    async with ChaosProxy(server.url, [Cut(len(SAID) + 1)]) as proxy, asking(proxy) as client:
        assert await client.reader.readexactly(len(SAID)) == SAID
        client.writer.write_eof()
        assert await client.read_all() == (b"", "closed")
        assert proxy.traffic.faults == 0


async def test_a_stall_ends_when_it_is_released(server: Server) -> None:
    async with ChaosProxy(server.url, [Stall(100)]) as proxy, asking(proxy) as client:
        assert await client.reader.readexactly(100) == SAID[:100]
        await proxy.until(lambda: proxy.traffic.faults == 1)
        assert proxy.traffic.to_client == 100
        proxy.release()
        assert await client.reader.readexactly(len(SAID) - 100) == SAID[100:]


@pytest.mark.parametrize(("ending", "seen"), [("close", "closed"), ("reset", "reset")])
async def test_a_stall_ends_by_itself_and_may_be_followed_by_a_cut(server: Server, ending: Ending, seen: str) -> None:
    plan: list[Fault] = [Stall(100, seconds=0.001), Stall(100, 0.001, ending)]
    async with ChaosProxy(server.url, plan) as proxy:
        async with asking(proxy) as client:
            assert await client.reader.readexactly(len(SAID)) == SAID
        async with asking(proxy) as client:
            assert await client.read_all() == (SAID[:100], seen)
        assert proxy.traffic.faults == 2


async def test_a_stalled_direction_does_not_stall_the_other(server: Server) -> None:
    async with ChaosProxy(server.url, [Stall(10)]) as proxy, asking(proxy) as client:
        await client.reader.readexactly(10)
        client.writer.write(b"more")
        await proxy.until(lambda: proxy.traffic.to_server == len(ASKED) + 4)
        assert proxy.traffic.to_client == 10
        proxy.release()
        assert await client.reader.readexactly(len(SAID) - 10) == SAID[10:]


@pytest.mark.parametrize(("ending", "seen"), [("close", "closed"), ("reset", "reset")])
async def test_who_is_refused_never_reaches_the_server(server: Server, ending: Ending, seen: str) -> None:
    async with ChaosProxy(server.url, [Refuse(ending)]) as proxy:
        async with asking(proxy, b"") as client:
            assert await client.read_all() == (b"", seen)
        await proxy.until(lambda: proxy.open == 0)
        assert (proxy.traffic.connections, proxy.traffic.faults) == (1, 1)
    assert server.heard == []


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        async with ChaosProxy(url) as proxy, asking(proxy, b"") as client:
            assert await client.read_all() == (b"", "reset")


@pytest.mark.parametrize("plan", [[Cut(1), None, Cut(3)], {1: Cut(1), 3: Cut(3)}.get], ids=["a list", "a callable"])
async def test_a_plan_has_a_fault_for_each_connection_or_none(
    server: Server, plan: list[Fault | None] | Callable[[int], Fault | None]
) -> None:
    async with ChaosProxy(server.url, plan) as proxy:
        lengths = []
        for _ in range(4):
            async with asking(proxy) as client:
                client.writer.write_eof()
                lengths.append(len((await client.read_all())[0]))
    assert lengths == [1, len(SAID), 3, len(SAID)]


@pytest.mark.parametrize("plan", [[], [Stall(100), Stall(100)]], ids=["following", "stalled"])
async def test_severing_breaks_what_is_open_and_only_that(server: Server, plan: list[Fault]) -> None:
    async with ChaosProxy(server.url, plan) as proxy:
        async with asking(proxy) as one, asking(proxy) as other:
            for client in (one, other):
                await client.reader.readexactly(100)
            before = proxy.traffic.faults
            proxy.sever()
            assert [(await client.read_all())[1] for client in (one, other)] == ["reset", "reset"]
        await proxy.until(lambda: proxy.open == 0)
        assert proxy.traffic.faults - before == 2
        async with asking(proxy) as client:
            assert await client.reader.readexactly(len(SAID)) == SAID


async def test_leaving_ends_what_is_open(server: Server) -> None:
    async with AsyncExitStack() as clients:
        async with ChaosProxy(server.url, [Stall(100), None]) as proxy:
            stalled = await clients.enter_async_context(asking(proxy))
            assert await stalled.reader.readexactly(100) == SAID[:100]
            following = await clients.enter_async_context(asking(proxy))
            assert await following.reader.readexactly(len(SAID)) == SAID
        assert [await client.read_all() for client in (stalled, following)] == [(b"", "reset")] * 2


def test_the_url_is_the_targets_with_another_address() -> None:
    proxy = ChaosProxy("redis://user:secret@localhost:6379/0?x=1", port=7000)
    assert proxy.url == "redis://user:secret@127.0.0.1:7000/0?x=1"


@pytest.mark.parametrize("target", ["http://localhost", "localhost:80", "//:80"])
def test_a_target_names_host_and_port(target: str) -> None:
    with pytest.raises(ValueError, match="host and a port"):
        ChaosProxy(target)


def test_a_place_is_not_negative() -> None:
    for fault in (Cut, Stall):
        with pytest.raises(ValueError, match="negative"):
            fault(-1)


async def test_in_a_thread_it_is_the_same(server: Server) -> None:
    def use() -> None:
        with ChaosProxy.in_thread(server.url, [Stall(100), None]) as proxy:
            with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=10) as client:
                client.sendall(ASKED)
                assert len(_read(client, 100)) == 100
                proxy.until(lambda: proxy.traffic.faults == 1)
                proxy.release()
                assert len(_read(client, len(SAID) - 100)) == len(SAID) - 100
                assert proxy.open == 1
                proxy.sever()
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
            proxy.until(lambda: proxy.open == 0)

    before = threading.active_count()
    async with asyncio.timeout(20):
        await asyncio.to_thread(use)
    assert threading.active_count() <= before + 1  # the executor keeps its own


def _read(client: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        read += client.recv(size - len(read))
    return read
