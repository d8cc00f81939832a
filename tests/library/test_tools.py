"""Tools that may not be used in a principal's name: their calls are not told, and the agent gets no further."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tokenwire import Ask, ChatBackend, Code, Principal, Scopes, ToolCall, ToolResult, events

from ..over_http.wires import RAIS
from .told import plain, telling

pytestmark = pytest.mark.anyio

FIND = ToolCall("call-1", "find", "{}")
BUY = ToolCall("call-2", "buy", "{}")


def called(happened: Any) -> list[str]:
    return [event.tool_call_name for event in happened if isinstance(event, events.ToolCallStart)]


@pytest.mark.parametrize("piece", [BUY, events.ToolCallStart("call-2", "buy", "")], ids=["whole", "begun"])
async def test_a_call_is_refused_before_it_is_told(piece: Any) -> None:
    got_on, closed = [], []

    async def agent(_: Ask) -> AsyncIterator[Any]:
        try:
            yield "Well, "
            yield FIND
            yield ToolResult("call-1", "7")
            yield piece
            got_on.append(piece)
        finally:
            closed.append(piece)

    async with telling(agent, tools=("find", "look")) as told:
        await told.end()
        assert told.terminal == events.RunError(
            "This key may not use the tool buy.", Code.refused_choice, "thread", "run"
        )
        assert (told.deltas, called(told.happened)) == (["Well, "], ["find"])
    assert (got_on, closed) == ([], [piece])


async def test_who_may_use_none_uses_none() -> None:
    async with telling(plain(FIND), tools=()) as told:
        await told.end()
        assert isinstance(told.terminal, events.RunError)
        assert called(told.happened) == []


async def test_without_a_word_all_may_be_used() -> None:
    async with telling(plain(FIND, BUY)) as told:
        await told.end()
        assert called(told.happened) == ["find", "buy"]


@pytest.mark.parametrize("name", ["", "a" * 65, "find\n", "<b>", "two words"])
async def test_a_name_that_is_none_is_not_repeated(name: str) -> None:
    async with telling(plain(ToolCall("c", name, "{}")), tools=("find",)) as told:
        await told.end()
        assert isinstance(told.terminal, events.RunError)
        assert told.terminal.message == "This key may not use the tool that was called."


def test_an_agent_is_told_what_the_scopes_say() -> None:
    asks: list[Ask] = []
    scopes = {"ann": Scopes(tools=("find",)), "bob": Scopes()}

    def authenticate(connection: Any) -> Principal:
        name = connection.headers["x-user"]
        return Principal(name=name, scopes=scopes[name])

    backend = ChatBackend(authenticate=authenticate)

    @backend.agent("support", default=True)
    async def support(ask: Ask) -> AsyncIterator[Any]:
        asks.append(ask)
        yield BUY

    with TestClient(backend) as client:
        refused = client.post("/api/chat", json=RAIS.body(), headers={"x-user": "ann"})
        assert (refused.status_code, "may not use the tool buy" in refused.text) == (400, True)
        assert client.post("/api/chat", json=RAIS.body(), headers={"x-user": "bob"}).status_code == 200
    assert [ask.tools for ask in asks] == [frozenset({"find"}), None]
