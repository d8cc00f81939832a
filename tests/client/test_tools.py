"""Tools that run in the client."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tokenwire.client import ChatClient, ClientTool, tool
from tokenwire.client.parts import ToolCallPart, ToolResultPart

from .scripted import Scripted, emits, says

pytestmark = pytest.mark.anyio


@dataclass
class Place:
    city: str
    degrees: float = 0.0


def weather(place: Place, days: int = 1) -> dict[str, Any]:
    """Tells the weather."""
    return {"city": place.city, "days": days}


def asks(name: str, input: Any, *, call_id: str = "c1") -> Any:  # noqa: A002
    """A run that ends with a call of a tool of the client."""
    interrupt = {
        "id": f"client_tool_{call_id}",
        "reason": "client_tool_input",
        "toolCallId": call_id,
        "metadata": {"kind": "client_tool", "toolName": name, "input": input},
    }
    return emits(
        {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": name},
        {"type": "TOOL_CALL_END", "toolCallId": call_id, "input": input},
        reason="tool_calls",
        outcome={"type": "interrupt", "interrupts": [interrupt]},
    )


def test_a_function_is_declared_by_its_signature() -> None:
    declared = tool(weather).declared()
    assert (declared["name"], declared["description"]) == ("weather", "Tells the weather.")
    parameters = declared["parameters"]
    assert parameters["required"] == ["place"]
    assert parameters["properties"]["days"] == {"type": "integer", "default": 1}
    assert parameters["properties"]["place"] == {"$ref": "#/$defs/Place"}
    assert parameters["$defs"]["Place"]["required"] == ["city"]


def test_a_tool_without_parameters_takes_an_object() -> None:
    assert ClientTool(name="f").declared()["parameters"] == {"type": "object"}


async def test_a_function_gets_the_types_it_names_and_the_run_goes_on() -> None:
    adapter = Scripted(asks("weather", {"place": {"city": "Oslo"}}), says("Cold."))
    async with ChatClient(adapter, tools=[weather]) as client:
        await client.send_message("hi")
        assert client.messages[-1].text == "Cold."
        assert client.interrupts == []
    context = adapter.requests[1].context
    assert context.parent_run_id == adapter.requests[0].context.run_id
    output = {"city": "Oslo", "days": 1}
    assert context.resume == [{"interruptId": "client_tool_c1", "payload": output, "status": "resolved"}]
    assert [declared["name"] for declared in context.client_tools] == ["weather"]


@pytest.mark.parametrize("given", [{"place": "Oslo"}, {"days": 1}, ["Oslo"], {"place": {"city": "Oslo"}, "unit": "K"}])
async def test_arguments_that_do_not_fit_are_told_to_the_model(given: Any) -> None:
    adapter = Scripted(asks("weather", given), says("Sorry."))
    async with ChatClient(adapter, tools=[weather]) as client:
        await client.send_message("hi")
        result = next(part for part in client.messages[1].parts if isinstance(part, ToolResultPart))
        assert (result.state, bool(result.error)) == ("error", True)
    assert adapter.requests[1].context.resume == [
        {"interruptId": "client_tool_c1", "payload": {"error": result.error}, "status": "resolved"}
    ]


async def test_an_async_tool_that_stop_ends() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    adapter = Scripted(asks("wait", {}))
    async with ChatClient(adapter, tools=[wait]) as client:
        turn = asyncio.create_task(client.send_message("hi"))
        await begun.wait()
        client.stop()
        await turn
        await ended.wait()
        call = client.messages[1].parts[0]
        assert isinstance(call, ToolCallPart)
        assert (call.state, client.status) == ("input-complete", "ready")
    assert len(adapter.requests) == 1


async def test_a_result_that_is_no_json_is_an_error() -> None:
    def odd() -> object:
        return object()

    adapter = Scripted(asks("odd", {}), says("Odd."))
    async with ChatClient(adapter, tools=[odd]) as client:
        await client.send_message("hi")
    assert adapter.requests[1].context.resume is not None
    assert "error" in adapter.requests[1].context.resume[0]["payload"]


async def test_a_tool_without_a_function_waits_for_its_result() -> None:
    adapter = Scripted(asks("ask", {"q": 1}), says("Thanks."))
    async with ChatClient(adapter, tools=[ClientTool(name="ask")]) as client:
        await client.send_message("hi")
        assert [(each.kind, each.tool_name, each.input) for each in client.interrupts] == [
            ("client-tool", "ask", {"q": 1})
        ]
        await client.add_tool_result("c1", {"answer": 42})
        assert (client.messages[-1].text, client.interrupts) == ("Thanks.", [])
    assert adapter.requests[1].context.resume == [
        {"interruptId": "client_tool_c1", "payload": {"answer": 42}, "status": "resolved"}
    ]


async def test_a_result_for_an_unknown_call_changes_nothing() -> None:
    async with ChatClient(Scripted(says("Hello"))) as client:
        await client.send_message("hi")
        before = client.messages
        await client.add_tool_result("nobody", 1)
        assert client.messages == before
