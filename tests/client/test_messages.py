"""Messages, and the rows and bodies they become."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tokenwire.client import RunContext, Source, UIMessage
from tokenwire.client.messages import request_body
from tokenwire.client.parts import ImagePart, OtherPart, TextPart, ToolCallPart, ToolResultPart

MOMENT = datetime(2026, 11, 21, 9, 4, 32, 642_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "content": "hi"},
        {"type": "thinking", "content": "hm", "stepId": "s", "signature": "x"},
        {"type": "image", "source": {"type": "data", "value": "aGk=", "mimeType": "image/png"}, "metadata": {"a": 1}},
        {"type": "tool-call", "id": "c", "name": "f", "arguments": "{", "state": "input-streaming"},
        {
            "type": "tool-call",
            "id": "c",
            "name": "f",
            "arguments": "{}",
            "state": "approval-responded",
            "approval": {"id": "a", "needsApproval": True, "approved": False},
            "output": None,
            "input": {},
        },
        {"type": "tool-result", "toolCallId": "c", "content": None, "state": "error", "error": "no"},
        {
            "type": "tool-result",
            "toolCallId": "c",
            "content": "1",
            "state": "complete",
            "createdAt": "2026-11-21T09:04:32.642Z",
        },
        {"type": "structured-output", "status": "complete", "raw": "1", "data": 1, "partial": 1},
        {"type": "ui-resource", "resource": {"uri": "ui://x"}, "toolCallId": "c", "toolName": "f"},
        {"type": "from-the-future", "anything": [1]},
        {"type": "text", "content": 7},
    ],
)
def test_a_message_is_written_as_it_was_read(part: dict[str, Any]) -> None:
    written = {"id": "m", "role": "assistant", "parts": [part], "createdAt": "2026-11-21T09:04:32.642Z"}
    message = UIMessage.from_dict(written)
    assert message.to_dict() == written
    assert message.created_at == MOMENT
    assert message.parts[0].type == part["type"]


def test_a_part_that_does_not_fit_its_kind_is_kept() -> None:
    message = UIMessage.from_dict({"role": "user", "parts": [{"type": "text", "content": 7}]})
    assert message.parts == (OtherPart({"type": "text", "content": 7}),)
    assert message.id.startswith("msg-")


@pytest.mark.parametrize(
    ("row", "role", "parts"),
    [
        ({"role": "user", "content": "hi"}, "user", (TextPart(content="hi"),)),
        ({"role": "user", "content": [{"type": "text", "text": "hi"}]}, "user", (TextPart(content="hi"),)),
        ({"role": "developer", "content": "be kind"}, "system", (TextPart(content="be kind"),)),
        ({"role": "assistant", "content": None}, "assistant", ()),
        (
            {"role": "assistant", "toolCalls": [{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}]},
            "assistant",
            (ToolCallPart(id="c", name="f", arguments='{"a":1}', state="input-complete", input={"a": 1}),),
        ),
        (
            {"role": "tool", "toolCallId": "c", "content": "7", "error": "no"},
            "assistant",
            (ToolResultPart(tool_call_id="c", content="7", state="error", error="no"),),
        ),
    ],
)
def test_rows_of_other_kinds(row: dict[str, Any], role: str, parts: tuple[Any, ...]) -> None:
    message = UIMessage.from_dict(row)
    assert (message.role, message.parts) == (role, parts)


def message(*parts: Any, role: Any = "user", id: str = "m") -> UIMessage:  # noqa: A002
    return UIMessage(id=id, role=role, parts=parts)


def test_what_the_user_says_is_text_or_a_list() -> None:
    picture = ImagePart(source=Source("url", "http://pictures.test/1.png"))
    rows = request_body(
        [message(TextPart(content="a"), TextPart(content="b")), message(picture, TextPart(content="c"))]
    )
    assert [row["content"] for row in rows["messages"]] == [
        "ab",
        [
            {"type": "image", "source": {"type": "url", "value": "http://pictures.test/1.png"}},
            {"type": "text", "text": "c"},
        ],
    ]


def test_ids_of_rows_are_unique() -> None:
    results = [ToolResultPart(tool_call_id="c", content=str(number), state="complete") for number in range(3)]
    rows = request_body([message(*results, role="assistant", id="tool-c")])["messages"]
    assert [row["id"] for row in rows] == ["tool-c", "tool-c-2", "tool-c-3", "tool-c-4"]


def test_the_body_of_the_new_dialect() -> None:
    context = RunContext(
        thread_id="t",
        run_id="r",
        parent_run_id="p",
        resume=[{"interruptId": "i", "status": "cancelled"}],
        client_tools=[{"name": "f", "description": "", "parameters": {"type": "object"}}],
        forwarded_props={"a": 2, "b": 2},
    )
    body = request_body([{"role": "user", "content": "hi", "id": "u"}], {"b": 3}, context, body={"a": 1, "z": 0})
    props = {"a": 2, "z": 0, "b": 3}
    assert body == {
        "threadId": "t",
        "runId": "r",
        "parentRunId": "p",
        "resume": [{"interruptId": "i", "status": "cancelled"}],
        "state": {},
        "messages": [{"id": "u", "role": "user", "content": "hi"}],
        "tools": [{"name": "f", "description": "", "parameters": {"type": "object"}}],
        "context": [],
        "forwardedProps": props,
        "data": props,
    }
    assert list(body)[:4] == ["threadId", "runId", "parentRunId", "resume"]


def test_the_body_of_the_legacy_dialect() -> None:
    said = message(TextPart(content="hi"))
    body = request_body([said, {"role": "user", "content": "raw"}], {"model": "a"}, None, "legacy", {"model": "b"})
    assert body == {
        "messages": [said.to_dict(), {"role": "user", "content": "raw"}],
        "data": {"model": "a"},
        "model": "b",
    }
