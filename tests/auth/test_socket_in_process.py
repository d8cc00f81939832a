"""Who may say what on a WebSocket, and when: soon who is asking, and nothing more once that is over."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.types import Message as AsgiMessage

from tokenwire.accounts.address import open_records
from tokenwire.config import load
from tokenwire.gate.keys import Keys
from tokenwire.secret import Secret
from tokenwire.server.app import App
from tokenwire.server.socket import ChatSocket
from tokenwire.testing import ScriptedUpstream

from ..over_http.client import PATIENCE
from ..over_http.test_socket_close import IDLE, SCOPE, Peer
from ..over_http.wires import TANSTACK
from .conftest import CONFIG, SHARED
from .test_over_http import token

pytestmark = pytest.mark.anyio

NOBODY = {"type": "websocket.close", "code": 4401, "reason": "unauthenticated"}


@pytest.fixture
async def model(anyio_backend: str) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as model:
        yield model


@pytest.fixture
async def app(model: ScriptedUpstream, tmp_path: Path) -> AsyncIterator[App]:
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.format(store=f"sqlite:///{tmp_path / 'runs.db'}", upstream=model.base_url))
    app = App(load(config, {"SHARED": SHARED}))
    async with app.running():
        yield app


async def test_who_says_nothing_is_sent_away(app: App) -> None:
    peer = Peer()
    socket = ChatSocket(app.chat, "/", peer.receive, peer.send, auth_seconds=0.01)
    await asyncio.wait_for(socket.serve(SCOPE), PATIENCE)
    assert [message["type"] for message in peer.sent] == ["websocket.accept", "websocket.close"]
    assert peer.sent[-1] == NOBODY


async def test_who_has_said_it_may_take_any_time(app: App) -> None:
    peer = Peer()
    peer.say({"type": "auth", "token": token()})
    socket = ChatSocket(app.chat, "/", peer.receive, peer.send, auth_seconds=0.01, idle_seconds=0.1)
    await socket.serve(SCOPE)
    assert peer.sent[-1] == IDLE


async def test_who_was_known_by_the_connection_itself_may_too(app: App) -> None:
    peer, bearer = Peer(), (b"authorization", f"Bearer {token()}".encode())
    socket = ChatSocket(app.chat, "/", peer.receive, peer.send, auth_seconds=0.01, idle_seconds=0.1)
    await socket.serve({**SCOPE, "headers": [bearer]})
    assert peer.sent[-1] == IDLE


class Ann:
    """Who has come with a key of hers, on a connection that may stall."""

    def __init__(self, app: App, text: Secret) -> None:
        self.peer = Peer()
        self.reads = asyncio.Event()
        """Set once she takes the close that she is sent."""
        self._chat = app.chat
        self._scope = {**SCOPE, "headers": [(b"authorization", b"Bearer " + text.reveal().encode())]}

    async def converse(self, **more: float) -> None:
        await ChatSocket(self._chat, "/", self.peer.receive, self._send, **more).serve(self._scope)

    async def _send(self, message: AsgiMessage) -> None:
        if message["type"] == "websocket.close":
            await self.reads.wait()
        await self.peer.send(message)


@pytest.fixture
async def keys(app: App) -> AsyncIterator[Keys]:
    records = await open_records(app.config.store)
    yield Keys(records)
    await records.close()


async def test_who_was_sent_away_and_does_not_read_it_is_not_listened_to(app: App, keys: Keys) -> None:
    record, text = await keys.create(principal="ann")
    ann, question = Ann(app, text), TANSTACK.body()
    conversing = asyncio.create_task(ann.converse())
    await ann.peer.until_accepted()
    await keys.revoke(record.id)
    await app.chat.authenticator.watch.look()
    ann.peer.say(question)
    ann.peer.say({"type": "auth", "token": token()})
    ann.reads.set()
    await conversing
    assert await app.chat.find("ann", "-1", question["runId"]) is None


async def test_nor_is_anything_more_sent_to_them(app: App, model: ScriptedUpstream, keys: Keys) -> None:
    model.say("one ", "two", hold=True)
    record, text = await keys.create(principal="ann")
    _, other = await keys.create(principal="ann")
    ann, elsewhere, question = Ann(app, text), Ann(app, other), TANSTACK.body()
    conversing = [asyncio.create_task(one.converse()) for one in (ann, elsewhere)]
    ann.peer.say(question)
    asked = await model.received()
    await asked.step()
    await ann.peer.until("one ")
    elsewhere.peer.say(question)
    await elsewhere.peer.until("one ")
    await keys.revoke(record.id)
    await app.chat.authenticator.watch.look()
    seen = len(ann.peer.sent)
    asked.release()
    await elsewhere.peer.until("RUN_ERROR")
    for one in (ann, elsewhere):
        one.reads.set()
    await conversing[0]
    conversing[1].cancel()
    await asyncio.gather(*conversing)
    assert ann.peer.sent[seen:] == [NOBODY]


async def test_of_who_went_nothing_is_held(app: App, keys: Keys) -> None:
    record, text = await keys.create(principal="ann")
    ann = Ann(app, text)
    ann.reads.set()
    await ann.converse(idle_seconds=0.01)
    await keys.revoke(record.id)
    await app.chat.authenticator.watch.look()
    await asyncio.sleep(0)
    assert ann.peer.sent[1:] == [IDLE]
