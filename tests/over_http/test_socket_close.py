"""How sockets end, and what is left of their runs; what keeps a quiet one open."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread

import pytest
from starlette.types import Message as AsgiMessage

from tokenwire.config import load
from tokenwire.server.app import App
from tokenwire.server.chat import Chat
from tokenwire.server.socket import ChatSocket
from tokenwire.testing import ScriptedUpstream, ThreadedUpstream

from ..conftest import Serve
from .client import ask, get
from .web_socket import Socket, text_of, types
from .wires import LEGACY, RAIS, TANSTACK


def test_a_socket_that_comes_back_within_the_grace_finds_its_run(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("one ", "two", hold=True)
    with Socket(brisk) as socket:
        socket.send(TANSTACK.body(run_id="comes-back"))
        upstream.received().step()
        socket.until_text("one ")
    with Socket(brisk, f"?runId=comes-back&offset={socket.messages[-1].id}") as back:
        back.until_pings(25)  # more than the whole grace
        upstream.received().release()
        assert text_of(back.rest()) == "two"
    upstream.received().wait_finished()


@pytest.mark.parametrize("how", ["a close", "a lost connection"])
def test_a_socket_that_does_not_come_back_ends_its_runs(upstream: ThreadedUpstream, brisk: str, how: str) -> None:
    upstream.say("one ", "two", hold=True)
    upstream.say("three ", "four", hold=True)
    with Socket(brisk) as socket:
        questions = [TANSTACK.body(), TANSTACK.body()]
        for number, question in enumerate(questions, 1):
            socket.send(question)
            upstream.received(number).step()
            socket.until("TEXT_MESSAGE_CONTENT")
        if how == "a lost connection":
            socket.hang_up()
    for number, question in enumerate(questions, 1):
        upstream.received(number).wait_closed()
        ended = get(brisk, f"/api/chat?offset=-1&runId={question['runId']}").read()
        assert TANSTACK.last(ended)["code"] == "abandoned"


def test_a_socket_that_goes_at_once_is_a_reader_who_left(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("unheard", hold="head")
    with Socket(brisk) as socket:
        socket.send(RAIS.body())
        request = upstream.received()
    request.wait_closed()


def test_a_clean_close_stops_a_rais_run_by_its_policy(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("so far", "never", hold=True)
    with Socket(brisk) as socket:
        socket.send(RAIS.body())
        upstream.received().step()
        socket.until_text("so far")
        socket.connection.close(1000, "Aborted")
    upstream.received().wait_closed()


def test_a_run_whose_policy_is_to_go_on_goes_on(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("one ", "two", hold=True)
    with Socket(brisk) as socket:
        socket.send(LEGACY.body())
        upstream.received().step()
        socket.until_text("one ")
    upstream.received().release()
    upstream.received().wait_finished()


def test_silence_is_broken_by_pings_for_those_who_know_them(upstream: ThreadedUpstream, brisk: str) -> None:
    upstream.say("late", hold="head")
    upstream.say("late", hold="head")
    with Socket(brisk) as newest, Socket(brisk) as rais:
        rais.send(RAIS.body())
        upstream.received()
        newest.send(TANSTACK.body())
        newest.until("RUN_STARTED")
        newest.until_pings(3)
        for number in (1, 2):
            upstream.received(number).release()
        assert text_of(newest.until("RUN_FINISHED")) == "late"
        assert types(rais.rest()) == ["text", "done"]
        assert rais.pings == 0


def test_a_slow_socket_holds_nobody_up_and_misses_nothing(upstream: ThreadedUpstream, ordinary: str) -> None:
    word = "x" * 4000
    upstream.say(*[word] * 3000)
    upstream.say("quick")
    slow, quick = TANSTACK.body(), TANSTACK.body()
    with Socket(ordinary, max_queue=1) as socket:
        socket.send(slow)
        upstream.received(1).wait_finished()  # who waits for a reader would not get here
        socket.send(quick)
        upstream.received(2).wait_finished()
        came = socket.until("RUN_FINISHED", quick["runId"])
        assert text_of(came).endswith("quick") is False, "the runs take turns"
        assert len(text_of(came)) < 3000 * 4000
        socket.until("RUN_FINISHED", slow["runId"])
    assert text_of(socket.messages).count("x") == 3000 * 4000


def test_a_hundred_sockets_that_come_and_go_leave_nothing(upstream: ThreadedUpstream, serve: Serve) -> None:
    server = serve()
    files = Path(f"/proc/{server.process.pid}/fd")
    if not files.exists():
        pytest.skip("needs /proc")
    ask(server.url, body=RAIS.body()).read()

    def some() -> None:
        for number in range(25):
            with Socket(server.url) as socket:
                socket.send(TANSTACK.body() if number % 2 else RAIS.body())
                if number % 3:
                    socket.read()
                if number % 5 == 0:
                    socket.hang_up()

    before = len(list(files.iterdir()))
    threads = [Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    upstream.until(lambda: len(list(files.iterdir())) <= before + upstream.open)
    assert "Traceback" not in server.log.read_text()
    assert "ERROR" not in server.log.read_text()


class Peer:
    """The other side of a socket within this process."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[AsgiMessage] = asyncio.Queue()
        self._frames.put_nowait({"type": "websocket.connect"})
        self.receive = self._frames.get
        self.sent: list[AsgiMessage] = []
        self._changed = asyncio.Event()

    async def send(self, message: AsgiMessage) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self._frames.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
        self._changed.set()

    def say(self, frame: object) -> None:
        self._frames.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

    async def until(self, text: str, times: int = 1) -> None:
        while sum(text in message.get("text", "") for message in self.sent) < times:
            self._changed.clear()
            await self._changed.wait()

    async def until_accepted(self) -> None:
        while not self.sent:
            self._changed.clear()
            await self._changed.wait()

    async def until_closed(self) -> None:
        while self.sent[-1]["type"] != "websocket.close":
            self._changed.clear()
            await self._changed.wait()


SCOPE = {"type": "websocket", "subprotocols": [], "query_string": b"", "headers": []}
IDLE = {"type": "websocket.close", "code": 1000, "reason": "idle"}


@pytest.fixture
async def chat(anyio_backend: str) -> AsyncIterator[tuple[Chat, ScriptedUpstream]]:
    """A chat, and the model behind it, in the loop of the test."""
    async with ScriptedUpstream() as model:
        app = App(load(None, {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test"}))
        async with app.running():
            yield app.chat, model


@pytest.mark.anyio
async def test_an_idle_socket_is_closed(chat: tuple[Chat, ScriptedUpstream]) -> None:
    peer = Peer()
    await ChatSocket(chat[0], "/", peer.receive, peer.send, idle_seconds=0.01).serve(SCOPE)
    assert [message["type"] for message in peer.sent] == ["websocket.accept", "websocket.close"]
    assert peer.sent[-1] == IDLE


@pytest.mark.anyio
async def test_a_socket_with_a_run_is_not_idle(chat: tuple[Chat, ScriptedUpstream]) -> None:
    common, model = chat
    model.say("one", "two", hold=True)
    peer, waits = Peer(), 0

    async def receive() -> AsgiMessage:
        nonlocal waits
        waits += 1
        if waits == 10:  # so often it has been idle for too long, but for the run
            (await model.received()).release()
        return await peer.receive()

    peer.say(TANSTACK.body())
    await ChatSocket(common, "/", receive, peer.send, idle_seconds=0.01).serve(SCOPE)
    assert waits >= 10
    assert peer.sent[-1] == IDLE
    assert "RUN_FINISHED" in peer.sent[-2]["text"]


@pytest.mark.anyio
async def test_a_socket_that_the_server_cannot_wait_for_leaves_nothing_behind(
    chat: tuple[Chat, ScriptedUpstream],
) -> None:
    common, model = chat
    model.say("never", hold="head")
    peer = Peer()
    peer.say(TANSTACK.body(run_id="left-behind"))
    serving = asyncio.create_task(ChatSocket(common, "/", peer.receive, peer.send).serve(SCOPE))
    await peer.until("RUN_STARTED")
    log, _ = await common.find("", "-1", "left-behind") or pytest.fail("it was not started")
    audience = common.audience(log)
    assert audience is not None
    assert audience.count == 1
    serving.cancel()
    await serving
    await asyncio.sleep(0)
    assert audience.count == 0
    assert not [task for task in asyncio.all_tasks() if "tokenwire/server" in repr(task)]


@pytest.mark.anyio
async def test_a_server_that_leaves_moves_the_clients_that_come_back(chat: tuple[Chat, ScriptedUpstream]) -> None:
    """After an event of the run, whose reconnect is then free; the others stay until their answer ends."""
    common, model = chat
    newest, idle, rais, joined, resumed = (Peer() for _ in range(5))
    peers = (newest, idle, rais, joined)
    model.say("late", hold="head")
    model.say("late", hold="head")
    newest.say(TANSTACK.body(run_id="moved"))
    idle.say(TANSTACK.body(messages=[]))
    rais.say(RAIS.body())
    async with asyncio.TaskGroup() as tasks:
        for peer in peers[:3]:
            tasks.create_task(ChatSocket(common, "/", peer.receive, peer.send).serve(SCOPE))
        await newest.until("RUN_STARTED")
        await idle.until("RUN_ERROR")
        query = SCOPE | {"query_string": b"offset=-1&runId=moved"}
        tasks.create_task(ChatSocket(common, "/", joined.receive, joined.send).serve(query))
        await joined.until("RUN_STARTED")
        await model.received(2)
        common.drain.move_on()
        for peer in (newest, idle):
            await peer.until_closed()
        assert not any(message["type"] == "websocket.close" for message in rais.sent + joined.sent)
        offset = json.loads(newest.sent[1]["text"])["id"]
        query = SCOPE | {"query_string": f"offset={offset}&runId=moved".encode()}
        tasks.create_task(ChatSocket(common, "/", resumed.receive, resumed.send).serve(query))
        await resumed.until_accepted()
        for request in model.requests:
            request.release()
    assert [message["type"] for message in resumed.sent[:2]] == ["websocket.accept", "websocket.send"]
    assert [peer.sent[-1]["code"] for peer in peers] == [1012, 1012, 1000, 1000]
    assert "done" in rais.sent[-2]["text"]
    assert "RUN_FINISHED" in joined.sent[-2]["text"]
    assert "RUN_STARTED" in newest.sent[-2]["text"]


@pytest.mark.anyio
async def test_a_mistake_of_ours_is_logged_and_closes(
    chat: tuple[Chat, ScriptedUpstream], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(chat[0], "find", broken)
    peer = Peer()
    await ChatSocket(chat[0], "/", peer.receive, peer.send).serve(SCOPE | {"query_string": b"offset=-1&runId=r"})
    assert peer.sent[-1] == {"type": "websocket.close", "code": 1011, "reason": "internal"}
    assert "ZeroDivisionError" in caplog.text
