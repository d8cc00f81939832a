"""A conversation as Gemini's ``contents``, and the places of thought signatures in it.

Gemini signs parts, of text too, and wants each signature back on the part it came with, not merged with its
neighbours. Clients keep a message's text in one piece, and signatures with spans of reasoning, all of them before the
text. So a signature is sealed with its place, ``PLACE:SIGNATURE``:

* ``thought``: on the thought that it ends;
* ``this+B+N``: on N characters of this message's text, after B characters (counted from the last that are signed);
* ``past+B+N``: the same of the last text before this message;
* ``end``: on an empty part at the message's end.

A function call's signature needs no place, and is sealed as it is.
"""

import mimetypes
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import msgspec

from ..errors import Code, UpstreamFailure
from ..messages import MIME_TYPES, Media, Message, Reasoning, Text, ToolCall
from .base import unsealed
from .data_url import unwrapped

_UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""Base64 of ``skip_thought_signature_validator``: Gemini's word for a call that it did not make itself.

Without it Gemini 3 refuses every conversation in which another model called a tool.
"""

_PLACED = re.compile(
    r"(?P<place>thought|this|past|end)(?:\+(?P<before>\d{1,9})\+(?P<length>\d{1,9}))?:(?P<signature>.+)", re.DOTALL
)

_Json = dict[str, Any]


class SignedText:
    """The text of one message as it arrives in parts, some of them signed; gives the signatures with their places.

    A signature that comes in the midst of text waits for the text's end: it would begin another message.
    """

    def __init__(self) -> None:
        self._begun = False
        self._unsigned = 0
        self._waiting: list[tuple[int, int, str]] = []

    def add(self, text: str, signature: str | None) -> list[str]:
        """One more part. Gives what is to be told before it."""
        if signature:
            self._waiting.append((self._unsigned, len(text), signature))
            self._unsigned = 0
        else:
            self._unsigned += len(text)
        if self._begun or not text:
            return []
        self._begun = True
        return self._placed("this")

    def end(self, *, of_answer: bool) -> list[str]:
        """The text is complete, or the whole answer is. Gives what is to be told after it."""
        if self._begun:
            placed = self._placed("this" if of_answer else "past")
        elif of_answer:
            placed = [f"end:{signature}" for _, _, signature in self._waiting]
        else:
            placed = self._placed("this")
        self._begun, self._unsigned, self._waiting = False, 0, []
        return placed

    def _placed(self, place: str) -> list[str]:
        placed = [f"{place}+{before}+{length}:{signature}" for before, length, signature in self._waiting]
        self._waiting.clear()
        return placed


def signed_thought(signature: str) -> str:
    """A thought's signature with its place."""
    return f"thought:{signature}"


def system_instruction(messages: Iterable[Message]) -> _Json | None:
    """What the system says, wherever in the conversation it says it; ``None`` where it says nothing."""
    said = [message for message in messages if message.role == "system"]
    if any(isinstance(part, Media) for message in said for part in message.content):
        raise UpstreamFailure(Code.unsupported_content, "This model takes only text in a system message.")
    parts = [{"text": message.text} for message in said if message.text]
    return {"parts": parts} if parts else None


def contents(messages: Iterable[Message]) -> list[_Json]:
    """The conversation but for the system's part, consecutive rows of one role merged.

    Results of tools stay by themselves: Gemini takes a turn that begins with one for the model's.
    """
    rows = [message for message in messages if message.role != "system"]
    names = {call.id: call.name for row in rows for call in row.tool_calls}
    turns = []
    for role, turn in groupby(rows, lambda row: row.role):
        if role == "assistant":
            parts = _Answer(turn).parts
        elif role == "tool":
            parts = [_result(row, names) for row in turn]
        else:
            parts = [_part(part) for row in turn for part in row.content if not isinstance(part, Reasoning)]
        if parts:
            turns.append({"role": "model" if role == "assistant" else "user", "parts": parts})
    return turns


class _Answer:
    """What the model said in one turn, each signature back in its place."""

    def __init__(self, rows: Iterable[Message]) -> None:
        self.parts: list[_Json] = []
        self._called = False
        for row in rows:
            self._add(row)

    def _add(self, row: Message) -> None:
        signed: list[tuple[int, int, str]] = []
        ending: list[_Json] = []
        for part in row.content:
            sealed = unsealed("gemini", part.signature) if isinstance(part, Reasoning) else None
            if not isinstance(part, Reasoning) or (placed := _PLACED.fullmatch(sealed or "")) is None:
                continue
            signature = placed["signature"]
            before, length = int(placed["before"] or 0), int(placed["length"] or 0)
            match placed["place"]:
                case "thought":
                    self.parts.append({"text": part.text, "thought": True, "thoughtSignature": signature})
                case "this":
                    signed.append((before, length, signature))
                case "past":
                    unsigned = bool(self.parts) and self.parts[-1].keys() == {"text"}
                    self._add_text(self.parts.pop()["text"] if unsigned else "", [(before, length, signature)])
                case "end":
                    ending.append({"text": "", "thoughtSignature": signature})
        self._add_text(row.text, signed)
        self.parts += [_part(part) for part in row.content if isinstance(part, Media)]
        for call in row.tool_calls:
            self._add_call(call)
        self.parts += ending

    def _add_text(self, text: str, signed: Iterable[tuple[int, int, str]]) -> None:
        for before, length, signature in signed:
            end = before + length
            if end > len(text):
                continue  # the client has changed its text
            if before:
                self.parts.append({"text": text[:before]})
            self.parts.append({"text": text[before:end], "thoughtSignature": signature})
            text = text[end:]
        if text:
            self.parts.append({"text": text})

    def _add_call(self, call: ToolCall) -> None:
        part: _Json = {"functionCall": {"id": call.id, "name": call.name, "args": _object(call.arguments)}}
        # of calls that were made together only the first is signed
        signature = unsealed("gemini", call.signature) or (None if self._called else _UNSIGNED)
        self._called = True
        self.parts.append(part | {"thoughtSignature": signature} if signature else part)


def _result(row: Message, names: Mapping[str, str]) -> _Json:
    if any(isinstance(part, Media) for part in row.content):
        raise UpstreamFailure(Code.unsupported_content, "This model takes only text as the result of a tool.")
    call_id = row.tool_call_id or ""
    return {"functionResponse": {"id": call_id, "name": names.get(call_id, call_id), "response": _response(row.text)}}


def _response(text: str) -> Any:
    """A result as the object it is, or as the ``output`` of one."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"output": text}
    return msgspec.Raw(text) if isinstance(value, dict) else {"output": msgspec.Raw(text)}


def _object(arguments: str) -> msgspec.Raw:
    """A call's arguments as the JSON they are; Gemini refuses anything but an object."""
    return msgspec.Raw(arguments if arguments.lstrip().startswith("{") else "{}")


def _part(part: Text | Media) -> _Json:
    if isinstance(part, Text):
        return {"text": part.text}
    part = unwrapped(part)
    if part.data is not None:
        return {"inlineData": {"mimeType": part.mime_type or MIME_TYPES[part.kind], "data": part.data}}
    url = part.url or ""
    mime_type = part.mime_type or mimetypes.guess_type(url.partition("?")[0])[0]
    return {"fileData": {"fileUri": url} | ({"mimeType": mime_type} if mime_type else {})}
