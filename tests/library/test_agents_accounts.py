"""What an agent asks of models, as whoever asked it sees it in limits and usage."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tokenwire import Ask, ChatBackend, ConfigError, Finish, Piece, Usage
from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import ask
from ..over_http.wires import TANSTACK
from .hosts import serving


def backend_of(upstream: ThreadedUpstream, *, price: dict[str, float] | None = None, **tables: Any) -> ChatBackend:
    """With two models of different prices, and an agent that asks both, and passes on what the second one says."""
    model = {"provider": "openai-compatible", "base_url": upstream.base_url, "key_env": ""}
    cheap = {**model, "model": "cheap", "price": {"input": 1.0, "output": 2.0}}
    dear = {**model, "model": "dear", "price": {"input": 10.0, "output": 20.0}}
    accounting = {"ledger": True, "step_tokens": 4}
    backend = ChatBackend({"models": {"cheap": cheap, "dear": dear}, "accounting": accounting, **tables})

    @backend.agent("both", default=True, price=price)
    async def both(ask: Ask) -> AsyncIterator[Piece]:
        async for _ in ask.model("cheap"):
            pass
        async for piece in ask.model("dear"):
            yield piece

    return backend


def test_the_row_of_an_agent_adds_up_what_it_asked(upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("no", "ted"), prompt_tokens=100))
    upstream.reply(Reply(text=("Hel", "l", "o"), prompt_tokens=10))
    with TestClient(backend_of(upstream)) as client:
        assert TANSTACK.text(client.post("/api/chat", json=TANSTACK.body("Hi")).content) == "Hello"
        while (told := client.get("/usage?by=model").json())["total"]["runs"] < 1:
            pass
    (line,) = told["usage"]
    assert (line["group"], line["runs"], line["estimated"], line["unpriced"]) == ("both", 1, 0, 0)
    assert (line["promptTokens"], line["completionTokens"]) == (110, 5)
    assert line["dollars"] == pytest.approx((100 * 1 + 2 * 2 + 10 * 10 + 3 * 20) / 1e6)


def test_a_budget_ends_what_an_agent_asks_in_mid_stream(upstream: ThreadedUpstream, tmp_path: Path) -> None:
    # each question is 5 tokens and a step of 4; what the agent's own had taken is given back with its first call
    store = f"sqlite:///{tmp_path}/runs.db"
    backend = backend_of(upstream, store=store, budgets={"per_principal": {"day_tokens": 25}})
    upstream.reply(Reply(text=("ok",), prompt_tokens=5))
    upstream.say(*["a "] * 40, hold=True)
    with serving(backend, lifespan="on") as host, ask(host.url, "/api/chat", TANSTACK.body(run_id="r1")) as told:
        asked = upstream.received(2)
        for number in range(1, 13):
            asked.step()
            told.until(b'"a "', number)
        body = told.read()
        asked.wait_closed()
    assert TANSTACK.text(body) == "a " * 12
    assert TANSTACK.last(body)["code"] == "budget_exhausted"


IN_DOLLARS = {"budgets": {"per_principal": {"day_dollars": 1.0}}}


def row(client: TestClient) -> dict[str, Any]:
    while not (lines := client.get("/usage?by=model").json()["usage"]):
        pass
    (line,) = lines
    return dict(line)


@pytest.mark.parametrize(("price", "status"), [(None, 400), ({"input": 0, "output": 2.0}, 200)])
def test_dollars_are_for_agents_that_have_a_price(price: dict[str, float] | None, status: int) -> None:
    backend = ChatBackend({"accounting": {"ledger": True}, **IN_DOLLARS})

    @backend.agent("own", default=True, price=price)
    async def own(_: Ask) -> AsyncIterator[Piece]:
        yield "Hello"
        yield Finish("stop", Usage(prompt_tokens=7, completion_tokens=10))

    with TestClient(backend) as client:
        answer = client.post("/api/chat", json=TANSTACK.body("Hi"))
        assert answer.status_code == status
        if price is not None:
            assert row(client)["dollars"] == pytest.approx(10 * 2 / 1e6)


def test_what_an_agent_asks_is_paid_at_the_models_price(upstream: ThreadedUpstream) -> None:
    backend = backend_of(upstream, price={"input": 0, "output": 1000.0}, **IN_DOLLARS)
    upstream.reply(Reply(text=("no", "ted"), prompt_tokens=100))
    upstream.reply(Reply(text=("Hel", "l", "o"), prompt_tokens=10))
    with TestClient(backend) as client:
        assert TANSTACK.text(client.post("/api/chat", json=TANSTACK.body("Hi")).content) == "Hello"
        assert row(client)["dollars"] == pytest.approx((100 * 1 + 2 * 2 + 10 * 10 + 3 * 20) / 1e6)


def test_what_is_no_price() -> None:
    with pytest.raises(ConfigError, match=r"^agent 'own': price: .*`output`"):
        ChatBackend().agent("own", price={"input": 1.0})
