"""A conversation as Gemini takes it, and how signatures find their way back."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from google.genai import types

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.messages import Media, Message, Part, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import sealed
from tokenwire.providers.gemini_history import contents, system_instruction

from .transcripts import TRANSCRIPTS, read

UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="


def turns(*messages: Message) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = json.loads(msgspec.json.encode(contents(messages)))
    return asked


def parts(*messages: Message) -> list[dict[str, Any]]:
    """Of the only turn that these messages are."""
    [turn] = turns(*messages)
    return list(turn["parts"])


def chunk(*parts: dict[str, Any], finish: str | None = None) -> bytes:
    candidate = {"content": {"parts": parts, "role": "model"}} | ({"finishReason": finish} if finish else {})
    return f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n".encode()


def test_the_systems_words_stand_apart() -> None:
    rows = message("system", "Be brief."), message("user", "Hi"), message("system", "And kind."), message("user", "?")
    assert system_instruction(rows) == {"parts": [{"text": "Be brief."}, {"text": "And kind."}]}
    assert turns(*rows) == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "?"}]}]
    assert system_instruction(rows[1:2]) is None


def test_rows_of_one_role_are_one_turn_but_results_stand_alone() -> None:
    calls = (ToolCall("a", "look", "{}"), ToolCall("b", "time", "{}"))
    asked = turns(
        message("user", "Hi"),
        message("assistant", "Let me look."),
        Message("assistant", (), calls),
        Message("tool", (Text("a pixel"),), tool_call_id="a"),
        Message("tool", (Text("12"),), tool_call_id="b"),
        message("user", "And?"),
    )
    assert [(turn["role"], [next(iter(part)) for part in turn["parts"]]) for turn in asked] == [
        ("user", ["text"]),
        ("model", ["text", "functionCall", "functionCall"]),
        ("user", ["functionResponse", "functionResponse"]),
        ("user", ["text"]),
    ]


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"hour": 12, "big": 12345678901234567890123}', {"hour": 12, "big": 12345678901234567890123}),
        ("[1, 2]", {"output": [1, 2]}),
        ('"noon"', {"output": "noon"}),
        ("noon", {"output": "noon"}),
        ("", {"output": ""}),
        ("{", {"output": "{"}),
    ],
)
def test_a_result_is_an_object(text: str, response: dict[str, Any]) -> None:
    call = Message("assistant", (), (ToolCall("a", "time", "{}"),))
    _, result = turns(call, Message("tool", (Text(text),), tool_call_id="a"))
    assert result["parts"] == [{"functionResponse": {"id": "a", "name": "time", "response": response}}]


@pytest.mark.parametrize(
    ("media", "part"),
    [
        (Media("image", data="AA=="), {"inlineData": {"mimeType": "image/png", "data": "AA=="}}),
        (Media("audio", data="AA=="), {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}),
        (Media("video", data="AA=="), {"inlineData": {"mimeType": "video/mp4", "data": "AA=="}}),
        (Media("document", data="AA=="), {"inlineData": {"mimeType": "application/pdf", "data": "AA=="}}),
        (
            Media("document", data="AA==", mime_type="text/csv"),
            {"inlineData": {"mimeType": "text/csv", "data": "AA=="}},
        ),
        (
            Media("image", url="data:image/webp;base64,AA=="),
            {"inlineData": {"mimeType": "image/webp", "data": "AA=="}},
        ),
        (
            Media("image", url="https://example.com/a.png?b=c.gif"),
            {"fileData": {"fileUri": "https://example.com/a.png?b=c.gif", "mimeType": "image/png"}},
        ),
        (
            Media("audio", url="https://example.com/a", mime_type="audio/ogg"),
            {"fileData": {"fileUri": "https://example.com/a", "mimeType": "audio/ogg"}},
        ),
        (
            Media("video", url="https://www.youtube.com/watch?v=1"),
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        ),
    ],
)
def test_media(media: Media, part: dict[str, Any]) -> None:
    assert parts(Message("user", (Text("What is this?"), media))) == [{"text": "What is this?"}, part]
    types.Part.model_validate(part)


def test_media_as_a_result_are_refused() -> None:
    with pytest.raises(UpstreamFailure) as refused:
        turns(Message("tool", (Media("image", data="AA=="),), tool_call_id="a"))
    assert refused.value.code is Code.unsupported_content


def test_a_call_of_another_model_is_marked_as_one() -> None:
    calls = (ToolCall("a", "look", "{}", "anthropic:xyz"), ToolCall("b", "look", "[]"))
    first, second = parts(Message("assistant", (), calls))
    assert first == {"functionCall": {"id": "a", "name": "look", "args": {}}, "thoughtSignature": UNSIGNED}
    assert second == {"functionCall": {"id": "b", "name": "look", "args": {}}}


def test_reasoning_of_another_model_is_left_out() -> None:
    thoughts = (Reasoning("hm", "anthropic:this+0+2:abc"), Reasoning("so", sealed("gemini", "no place")), Text("Hi."))
    assert parts(Message("assistant", thoughts)) == [{"text": "Hi."}]
    assert turns(Message("assistant", thoughts[:1])) == []


def test_a_signature_whose_text_was_changed_is_left_out() -> None:
    changed = Message("assistant", (Reasoning("", sealed("gemini", "this+4+5:QQ==")), Text("Shorter")))
    assert parts(changed) == [{"text": "Shorter"}]


SENT = {name: it for name, it in TRANSCRIPTS.items() if it.api == "gemini" and (it.said.signatures or it.said.calls)}


@pytest.mark.parametrize("name", SENT)
def test_every_signature_goes_back_on_the_part_it_came_with(name: str) -> None:
    happened = read([SENT[name].body], "gemini").happened
    chunks = [json.loads(line[6:]) for line in SENT[name].body.splitlines() if line]
    sent = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert parts(*history(happened)) == [with_call_defaults(part, happened) for part in as_kept(sent)]


def history(happened: Iterable[events.Event]) -> list[Message]:
    """The messages as a client sends them later: each with its signed reasoning first."""
    messages: list[Message] = []
    thoughts: dict[str, str] = {}
    signed: list[Reasoning] = []
    text, calls = "", dict[str, ToolCall]()
    for event in happened:
        match event:
            case events.TextMessageStart():
                signed, text, calls = [], "", {}
            case events.ReasoningMessageContent(span, delta):
                thoughts[span] = thoughts.get(span, "") + delta
            case events.ReasoningEncryptedValue("message", span, value):
                signed.append(Reasoning(thoughts.get(span, ""), value))
            case events.TextMessageContent(_, delta):
                text += delta
            case events.ToolCallStart(name, tool):
                calls[name] = ToolCall(name, tool, "")
            case events.ReasoningEncryptedValue("tool-call", name, value):
                calls[name] = ToolCall(name, calls[name].name, "", value)
            case events.ToolCallArgs(name, delta):
                calls[name] = ToolCall(name, calls[name].name, calls[name].arguments + delta, calls[name].signature)
            case events.TextMessageEnd():
                content: tuple[Part, ...] = (*signed, Text(text)) if text else tuple(signed)
                messages.append(Message("assistant", content, tuple(calls.values())))
    return messages


def as_kept(sent: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts without what nobody has to send back: unsigned thoughts, and the borders between unsigned texts."""
    kept: list[dict[str, Any]] = []
    for part in sent:
        if "thoughtSignature" in part or "functionCall" in part:
            kept.append(part)
        elif part["text"] and not part.get("thought"):
            if kept and kept[-1].keys() == {"text"}:
                kept[-1] = {"text": kept[-1]["text"] + part["text"]}
            else:
                kept.append(part)
    return kept


def with_call_defaults(part: dict[str, Any], happened: Iterable[events.Event]) -> dict[str, Any]:
    """A call with the id it was told under, and with arguments; the first that is unsigned may say so."""
    if "functionCall" not in part:
        return part
    call = {"args": {}} | part["functionCall"]
    told = [event for event in happened if isinstance(event, events.ToolCallStart)]
    arguments = {event.tool_call_id: event.delta for event in happened if isinstance(event, events.ToolCallArgs)}
    [call["id"]] = [
        it.tool_call_id
        for it in told
        if it.tool_call_name == call["name"] and json.loads(arguments[it.tool_call_id]) == call["args"]
    ]
    first_unsigned = told[0].tool_call_id == call["id"] and "thoughtSignature" not in part
    return part | {"functionCall": call} | ({"thoughtSignature": UNSIGNED} if first_unsigned else {})


@pytest.mark.parametrize(
    "sent",
    [
        [{"text": "", "thoughtSignature": "QQ=="}],
        [{"text": "", "thoughtSignature": "QQ=="}, {"text": "Hi"}],
        [{"text": "Hi", "thoughtSignature": "QQ=="}, {"text": " you", "thoughtSignature": "Qg=="}],
        [
            {"text": "a"},
            {"text": "", "thoughtSignature": "QQ=="},
            {"text": "b"},
            {"text": "c", "thoughtSignature": "Qg=="},
        ],
        [{"text": "😀"}, {"text": "é", "thoughtSignature": "QQ=="}, {"text": "x"}],
        [{"text": "", "thought": True, "thoughtSignature": "QQ=="}, {"text": "Hi", "thoughtSignature": "Qg=="}],
        [{"text": "Hi", "thoughtSignature": "QQ=="}, {"text": "hm", "thought": True}, {"text": "you"}],
        [
            {"text": "A"},
            {"text": "B", "thoughtSignature": "QQ=="},
            {"text": "", "thoughtSignature": "Qg=="},
            {"text": "hm", "thought": True, "thoughtSignature": "Qw=="},
            {"text": "C", "thoughtSignature": "RA=="},
        ],
    ],
)
def test_signatures_of_text_in_every_place(sent: list[dict[str, Any]]) -> None:
    for chunks in ([chunk(*sent, finish="STOP")], [*map(chunk, sent), chunk(finish="STOP")]):
        assert parts(*history(read(chunks, "gemini").happened)) == as_kept(sent)


def test_text_that_is_signed_midway_stays_in_one_message() -> None:
    happened = read([chunk({"text": "a", "thoughtSignature": "QQ=="}, {"text": "b"}, finish="STOP")], "gemini").happened
    assert [event.message_id for event in happened if isinstance(event, events.TextMessageStart)] == ["m"]


def test_media_in_a_system_message_is_not_left_out_in_silence() -> None:
    with pytest.raises(UpstreamFailure, match="only text in a system message") as refused:
        system_instruction([Message("system", (Text("Like this:"), Media("image", data="AAAA")))])
    assert refused.value.code is Code.unsupported_content
