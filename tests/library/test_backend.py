"""What a backend is made of, and its life."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Message, Scope

import tokenwire
from tokenwire import Ask, ChatBackend, ConfigError
from tokenwire.config import load
from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import ask, get
from ..over_http.wires import RAIS, TANSTACK
from .hosts import serving
from .stage import Stage


async def echo(ask: Ask) -> str:
    return ask.prompt


def answer(client: TestClient, **extra: Any) -> str:
    return RAIS.text(client.post("/api/chat", json=RAIS.body("Hi", **extra)).content)


@pytest.fixture
def fast(upstream: ThreadedUpstream) -> dict[str, Any]:
    """A configuration with a model, which says "from the model"."""
    upstream.default = Reply(text=("from the model",))
    model = {"provider": "openai-compatible", "base_url": upstream.base_url, "model": "any"}
    return {"models": {"fast": model}}


def test_every_public_name_is_there() -> None:
    for name in tokenwire.__all__:
        assert getattr(tokenwire, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tokenwire.nothing


def test_the_package_alone_costs_nothing() -> None:
    program = "import sys, tokenwire, tokenwire.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    heavy = {"starlette", "uvicorn", "aiohttp", "tokenwire.server", "tokenwire.agents"}
    assert heavy.isdisjoint(loaded.stdout.split())


def test_served_alone_it_has_a_lifespan_of_its_own() -> None:
    backend = ChatBackend()
    backend.agent("echo")(echo)
    with serving(backend, lifespan="on") as host, ask(host.url, "/api/chat", RAIS.body("Hi")) as told:
        assert RAIS.text(told.read()) == "Hi"


def test_agents_alone_need_no_model_and_start_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tokenwire.providers.local.LocalModels.place", None)  # calling it would fail
    backend = ChatBackend()
    backend.agent("echo")(echo)
    with TestClient(backend) as client:
        assert answer(client) == "Hi"
        (model,) = client.get("/models").json()["models"]
        assert (model["name"], model["status"], model["targets"]) == ("echo", "ok", [])


def test_agents_alone_do_not_offer_what_the_environment_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    backend = ChatBackend()
    backend.agent("echo")(echo)
    with TestClient(backend) as client:
        assert [model["name"] for model in client.get("/models").json()["models"]] == ["echo"]


def test_without_agents_the_environment_decides(monkeypatch: pytest.MonkeyPatch, upstream: ThreadedUpstream) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
    upstream.say("Hel", "lo")
    with TestClient(ChatBackend()) as client:
        assert answer(client) == "Hello"


@pytest.mark.parametrize("kind", ["mapping", "path", "text", "config"])
def test_models_and_agents_side_by_side(kind: str, fast: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    table = fast["models"]["fast"]
    file.write_text("[models.fast]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items()))
    config: Any = {"mapping": fast, "path": file, "text": str(file), "config": load(file, {})}[kind]
    backend = ChatBackend(config)
    backend.agent("echo")(echo)
    with TestClient(backend) as client:
        assert client.get("/models").json()["default"] == "fast"
        assert [answer(client), answer(client, model="echo")] == ["from the model", "Hi"]


def test_a_default_agent_comes_before_the_models(fast: dict[str, Any]) -> None:
    backend = ChatBackend(fast)
    backend.agent("echo", default=True)(echo)
    with TestClient(backend) as client:
        assert [answer(client), answer(client, model="fast")] == ["Hi", "from the model"]


def test_a_persona_may_be_an_agent_s() -> None:
    backend = ChatBackend({"personas": {"polite": {"system": "Be polite.", "model": "said"}}})
    backend.agent("echo", default=True)(echo)

    @backend.agent("said")
    async def said(ask: Ask) -> str:
        return " ".join(message.text for message in ask.messages)

    with TestClient(backend) as client:
        assert answer(client, persona="polite") == "Be polite. Hi"


def test_wishes_within_the_policy_reach_the_agent() -> None:
    backend = ChatBackend({"policy": {"temperature": [0, 1]}})

    @backend.agent("wishes")
    async def wishes(ask: Ask) -> str:
        return f"{ask.temperature} {ask.max_tokens}"

    with TestClient(backend) as client:
        assert answer(client, temperature=0.5, max_tokens=10) == "0.5 10"
        assert answer(client, temperature=1.5) == "None None"


def test_an_agent_passes_on_what_a_model_says(fast: dict[str, Any], upstream: ThreadedUpstream) -> None:
    backend = ChatBackend(fast)

    @backend.agent("outer", default=True)
    async def outer(ask: Ask) -> Any:
        return ask.model("fast", max_tokens=7)

    with TestClient(backend) as client:
        upstream.reply(Reply(reasoning=("hm",), text=("Hel", "lo"), finish_reason="length"))
        told = client.post("/api/chat", json=TANSTACK.body("Hi")).content
        assert TANSTACK.text(told) == "Hello"
        assert TANSTACK.last(told)["finishReason"] == "length"
        assert upstream.requests[-1].body["messages"] == [{"role": "user", "content": "Hi"}]
        assert upstream.requests[-1].body["max_tokens"] == 7
        upstream.reply(Reply(status=401))
        refused = client.post("/api/chat", json=TANSTACK.body("Hi"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_auth")


def test_an_agent_that_is_stopped_frees_its_model(fast: dict[str, Any], upstream: ThreadedUpstream) -> None:
    backend = ChatBackend(fast)

    @backend.agent("outer", default=True)
    async def outer(ask: Ask) -> Any:
        return ask.model("fast")

    upstream.reply(Reply(text=("Hel", "lo"), hold=True))
    with serving(backend, lifespan="on") as host, ask(host.url, "/api/chat", TANSTACK.body(run_id="r1")) as told:
        asked = upstream.received(1)
        asked.step()
        told.until(b"Hel")
        with ask(host.url, "/api/chat/runs/r1/cancel") as cancelled:
            assert cancelled.json["cancelled"]
        asked.wait_closed()
        assert TANSTACK.finished(told.read())


def test_a_model_that_is_not_there_fails_the_agent() -> None:
    backend = ChatBackend()

    @backend.agent("outer")
    async def outer(ask: Ask) -> Any:
        return ask.model("outer")

    with TestClient(backend) as client:
        refused = client.post("/api/chat", json=TANSTACK.body("Hi"))
        assert refused.json()["error"]["code"] == "agent_failed"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"modles": {}}, "config: modles|unknown field `modles`"),
        ({"models": {"fast": {"provider": "none"}}}, r"models\.fast\.provider"),
        (
            {"models": {"echo": {"provider": "openai-compatible", "base_url": "http://x", "model": "x"}}},
            "agent of that",
        ),
        ("/nowhere.toml", "No such file"),
    ],
)
def test_a_configuration_with_a_mistake(config: Any, text: str) -> None:
    backend = ChatBackend(config)
    backend.agent("echo")(echo)
    with pytest.raises(ConfigError, match=text), TestClient(backend):
        pass


@pytest.mark.parametrize(
    "mistaken",
    [
        {"budgets": {"per_key": {"day_dollars": 1}}},
        {"auth": {"jwt": {"issuer": "i", "audience": "a", "public_key_file": "key.pem"}}},
    ],
)
def test_a_start_that_fails_leaves_nothing_behind(
    mistaken: dict[str, Any], fast: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.pem").write_text("no key")
    before = set(threading.enumerate())
    with pytest.raises(ConfigError), TestClient(ChatBackend({**fast, **mistaken, "store": "sqlite:///runs.db"})):
        pass
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= before


def test_without_a_lifespan_a_mistake_is_told_with_each_request(caplog: pytest.LogCaptureFixture) -> None:
    backend = ChatBackend("/nowhere.toml")
    with serving(backend, lifespan="off") as host:
        for _ in range(2):
            with get(host.url, "/healthz") as failed:
                assert failed.status == 500
    assert "No such file" in caplog.text


def test_nothing_to_ask_is_nothing_at_this_address() -> None:
    with TestClient(ChatBackend({})) as client:
        assert client.post("/api/chat", json=TANSTACK.body()).status_code == 404


def test_without_a_page() -> None:
    with TestClient(ChatBackend({}, page=False)) as client:
        assert [client.get(path).status_code for path in ("/", "/web/app.js", "/healthz")] == [404, 404, 200]


def test_origins_take_the_place_of_the_configuration_s() -> None:
    backend = ChatBackend({"cors": {"origins": ["https://old.example"]}}, origins=["https://app.example"])
    with TestClient(backend) as client:
        statuses = [
            client.get("/models", headers={"origin": f"https://{name}.example"}).status_code for name in ("old", "app")
        ]
        assert statuses == [403, 200]


def test_agents_have_names_of_their_own_and_are_named_in_time() -> None:
    backend = ChatBackend()
    backend.agent("echo", default=True)(echo)
    with pytest.raises(ValueError, match="echo"):
        backend.agent("echo")
    with pytest.raises(ValueError, match="echo"):
        backend.agent("other", default=True)
    with pytest.raises(ValueError, match="empty"):
        backend.agent("")
    with pytest.raises(TypeError, match="agent has a name"):
        backend.agent(echo)  # type: ignore[arg-type]
    with TestClient(backend), pytest.raises(RuntimeError, match="before"):
        backend.agent("late")


def test_lives_follow_each_other() -> None:
    backend = ChatBackend()
    backend.agent("echo")(echo)
    for _ in range(2):
        with TestClient(backend) as client:
            assert answer(client) == "Hi"
    client = TestClient(backend)  # each request in a loop of its own
    assert [answer(client), answer(client)] == ["Hi", "Hi"]


def test_a_loop_that_was_closed_with_its_tasks_is_nobodys_home() -> None:
    backend = ChatBackend()
    backend.agent("echo")(echo)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(Peer().ask(backend))
    left = asyncio.all_tasks(loop)
    loop.close()
    backend.agent("late")(echo)
    with TestClient(backend) as client:
        assert answer(client, model="late") == "Hi"
    del left


def test_a_second_loop_is_told_so() -> None:
    backend = ChatBackend({})
    with TestClient(backend):
        app = FastAPI()
        app.mount("/", backend)
        with pytest.raises(RuntimeError, match="another event loop"):
            TestClient(app).get("/healthz")


@pytest.mark.anyio
async def test_it_runs_once_at_a_time() -> None:
    backend = ChatBackend({})
    async with backend.running():
        with pytest.raises(RuntimeError, match="running already"):
            async with backend.running():
                pass


@pytest.mark.anyio
async def test_a_first_request_that_goes_away_begins_it_all_the_same() -> None:
    before = asyncio.all_tasks()
    backend = ChatBackend({})
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**SCOPE, "method": "GET", "path": "/healthz"}
    first = asyncio.ensure_future(backend(scope, receive, send))
    await asyncio.sleep(0)
    first.cancel()
    await backend(scope, receive, send)
    assert sent[0]["status"] == 200
    (keeper,) = asyncio.all_tasks() - before
    keeper.cancel()  # as the end of a loop does
    await asyncio.wait([keeper])
    async with backend.running():
        pass


class Peer:
    """A client without a network: it posts a question, and stays as long as it is not told to leave."""

    def __init__(self, **wishes: Any) -> None:
        self.told = b""
        self.heard = asyncio.Event()
        self.leave = asyncio.Event()
        self._question = json.dumps(TANSTACK.body(**wishes)).encode()

    async def receive(self) -> Message:
        if self._question:
            question, self._question = self._question, b""
            return {"type": "http.request", "body": question}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        for _ in range(100):  # its network is a slow one
            await asyncio.sleep(0)
        self.told += message.get("body", b"")
        if b"Hel" in self.told:
            self.heard.set()

    async def ask(self, backend: ChatBackend) -> None:
        """Returns when it is told nothing more."""
        await backend({**SCOPE, "method": "POST", "path": "/api/chat"}, self.receive, self.send)


SCOPE: Scope = {"type": "http", "http_version": "1.1", "headers": [], "query_string": b""}


@pytest.mark.anyio
async def test_what_is_under_way_at_the_end_is_told_so() -> None:
    stage, peer = Stage(), Peer(model="held")
    async with stage.backend.running():
        asking = asyncio.create_task(peer.ask(stage.backend))
        await peer.heard.wait()
    assert asking.done()
    assert TANSTACK.last(peer.told)["code"] == "shutting_down"
    assert stage.ended.is_set()


@pytest.mark.anyio
async def test_the_end_waits_for_what_an_agent_has_to_do_last() -> None:
    backend, peer, done = ChatBackend(), Peer(), asyncio.Event()

    @backend.agent("slow")
    async def slow(ask: Ask) -> AsyncIterator[str]:
        try:
            yield "Hel"
            await asyncio.Event().wait()
        finally:
            for _ in range(1000):
                await asyncio.sleep(0)
            done.set()

    async with backend.running():
        asking = asyncio.create_task(peer.ask(backend))
        await peer.heard.wait()
        peer.leave.set()  # the answer goes on for a while, without a reader
        await asking
    assert done.is_set()
