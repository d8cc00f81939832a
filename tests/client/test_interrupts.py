"""Runs that wait for their user."""

from typing import Any

import pytest

from tokenwire.client import ChatClient, ClientError, Interrupt
from tokenwire.client.parts import ToolCallPart

from .scripted import Scripted, delta, emits, says

pytestmark = pytest.mark.anyio


def pauses(*interrupts: dict[str, Any]) -> Any:
    calls = [
        {"type": "TOOL_CALL_START", "toolCallId": each["toolCallId"], "toolCallName": "f", "parentMessageId": "m1"}
        for each in interrupts
        if "toolCallId" in each
    ]
    outcome = {"type": "interrupt", "interrupts": list(interrupts)}
    return emits(delta("May I?"), *calls, reason="tool_calls", outcome=outcome)


def approval(call_id: str = "c1") -> dict[str, Any]:
    return {
        "id": f"approval_{call_id}",
        "reason": "approval_required",
        "message": "Run f?",
        "toolCallId": call_id,
        "metadata": {"kind": "approval", "toolName": "f", "input": {"a": 1}},
    }


GENERIC = {"id": "g1", "reason": "choose", "responseSchema": {"type": "string"}}


def resumed(adapter: Scripted) -> Any:
    return adapter.requests[-1].context.resume


async def test_an_approval_is_described_and_answered() -> None:
    adapter = Scripted(pauses(approval()), says("Done.", message_id="m2"))
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        (asked,) = client.interrupts
        assert (asked.kind, asked.message, asked.tool_name, asked.input) == ("approval", "Run f?", "f", {"a": 1})
        assert client.status == "ready"
        await client.resolve_interrupts(True)
        assert (client.interrupts, client.messages[-1].text) == ([], "Done.")
        call = next(part for part in client.messages[1].parts if isinstance(part, ToolCallPart))
        assert (call.state, call.approval and call.approval.approved) == ("approval-responded", True)
    assert resumed(adapter) == [{"interruptId": "approval_c1", "payload": {"approved": True}, "status": "resolved"}]
    assert adapter.requests[1].context.parent_run_id == adapter.requests[0].context.run_id


async def test_each_its_own_answer_in_one_request() -> None:
    adapter = Scripted(pauses(approval("c1"), approval("c2"), GENERIC, {**GENERIC, "id": "g2"}), says("Done."))
    answers = {
        "approval_c1": lambda each: each.approve({"a": 2}),
        "approval_c2": lambda _: False,
        "g1": lambda each: each.resolve("blue"),
        "g2": Interrupt.cancel,
    }
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        await client.resolve_interrupts(lambda each: answers[each.id](each))
    assert resumed(adapter) == [
        {"interruptId": "approval_c1", "payload": {"approved": True, "editedArgs": {"a": 2}}, "status": "resolved"},
        {"interruptId": "approval_c2", "payload": {"approved": False}, "status": "resolved"},
        {"interruptId": "g1", "payload": "blue", "status": "resolved"},
        {"interruptId": "g2", "status": "cancelled"},
    ]


async def test_answers_one_by_one_go_together() -> None:
    adapter = Scripted(pauses(approval("c1"), approval("c2")), says("Done."))
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        await client.add_tool_approval_response("approval_c2", False)
        assert ([each.id for each in client.interrupts], len(adapter.requests)) == (["approval_c1"], 1)
        await client.add_tool_approval_response("approval_c1", True)
    assert [answer["interruptId"] for answer in resumed(adapter)] == ["approval_c1", "approval_c2"]


async def test_yes_is_no_answer_to_an_open_question() -> None:
    adapter = Scripted(pauses(approval(), GENERIC))
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        with pytest.raises(ClientError, match="g1"):
            await client.resolve_interrupts(True)
        assert [each.id for each in client.interrupts] == ["approval_c1", "g1"]
    assert len(adapter.requests) == 1


async def test_nothing_else_is_sent_while_a_run_waits() -> None:
    adapter = Scripted(pauses(approval()), says("Hello", message_id="m2"))
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        with pytest.raises(ClientError):
            await client.send_message("hello?")
        with pytest.raises(ClientError):
            await client.append({"role": "user", "content": "hello?"})
        client.stop()
        assert client.interrupts == []
        await client.send_message("hello?")
        assert client.messages[-1].text == "Hello"


async def test_a_request_that_fails_leaves_the_questions_open() -> None:
    async def fails(_: Any) -> Any:
        raise OSError("gone")
        yield

    adapter = Scripted(pauses(approval()), fails, says("Done.", message_id="m2"))
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        await client.resolve_interrupts(True)
        assert isinstance(client.error, OSError)
        assert [each.id for each in client.interrupts] == ["approval_c1"]
        await client.resolve_interrupts(False)
        assert (client.interrupts, client.messages[-1].text) == ([], "Done.")


async def test_one_pause_after_the_other() -> None:
    adapter = Scripted(pauses(approval("c1")), pauses(approval("c2")), says("Done.", message_id="m2"))
    async with ChatClient(adapter) as client:
        await client.send_message("hi")
        await client.resolve_interrupts(True)
        assert [each.id for each in client.interrupts] == ["approval_c2"]
        await client.resolve_interrupts(True)
        assert client.messages[-1].text == "Done."
    parents = [request.context.parent_run_id for request in adapter.requests]
    assert parents == [None, adapter.requests[0].context.run_id, adapter.requests[1].context.run_id]


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ({"kind": "approval"}, "approval"),
        (
            {"tanstack:interruptBinding": {"kind": "tool-approval", "toolName": "f", "originalArgs": {"a": 1}}},
            "approval",
        ),
        ({"tanstack:interruptBinding": {"kind": "client-tool-execution"}}, "client-tool"),
        ({}, "generic"),
        (None, "generic"),
    ],
)
def test_kinds(metadata: Any, kind: str) -> None:
    assert Interrupt.from_dict({"id": "i", "reason": "r", "metadata": metadata}).kind == kind
