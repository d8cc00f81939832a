"""What an agent asks of models, as whoever asked it sees it in limits and usage."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tokenwire import Ask, ChatBackend, Piece
from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import ask
from ..over_http.wires import TANSTACK
from .hosts import serving


def backend_of(upstream: ThreadedUpstream, **tables: Any) -> ChatBackend:
    """With two models of different prices, and an agent that asks both, and passes on what the second one says."""
    model = {"provider": "openai-compatible", "base_url": upstream.base_url, "key_env": ""}
    cheap = {**model, "model": "cheap", "price": {"input": 1.0, "output": 2.0}}
    dear = {**model, "model": "dear", "price": {"input": 10.0, "output": 20.0}}
    accounting = {"ledger": True, "step_tokens": 4}
    backend = ChatBackend({"models": {"cheap": cheap, "dear": dear}, "accounting": accounting, **tables})

    @backend.agent("both", default=True)
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
