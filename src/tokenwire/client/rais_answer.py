"""RAIS v1, the wire of react-ai-stream, in terms of a chat's events, without any I/O (docs/wires/rais.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..wire.reading import Event, EventReader
from .errors import DurableStreamIncompleteError
from .messages import UIMessage, new_id

if TYPE_CHECKING:
    from ..wire.reading import Chunk
    from .connection import Data, Messages, RunContext


class RaisAnswer:
    """One answer, over as many streams as it takes."""

    def __init__(self, run: RunContext) -> None:
        self._ids = {"threadId": run.thread_id, "runId": run.run_id}
        self._message_id = new_id("msg")
        self._key: str | None = None

    def chunk(self, event: Mapping[str, Any]) -> Chunk | None:
        """A RAIS event (4) as an event of a chat, and any other as it is. ``None`` for empty text."""
        match event["type"]:
            case "text":
                text = event.get("text")
                if not isinstance(text, str) or not text:
                    return None
                return {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._message_id, "delta": text}
            case "done":
                return {"type": "RUN_FINISHED", **self._ids, "finishReason": "stop"}
            case "error":
                error = event.get("error")
                message = error if isinstance(error, str) and error else "Stream error"
                return {"type": "RUN_ERROR", **self._ids, "message": message}
            case _:
                return dict(event)

    def offset(self, event: Event, *, is_first: bool) -> str | None:
        """The offset of an event, if it is one to go on from: it names the answer, ``key:number``.

        After a bare number a server could as well begin a new answer. One that does so although it was asked to go on
        is found out by the first event of its stream: :class:`DurableStreamIncompleteError`.
        """
        key = (event.offset or "").rpartition(":")[0] or None
        if is_first and self._key not in (None, key):
            raise DurableStreamIncompleteError
        self._key = key or self._key
        return event.offset if key else None


class RaisReader:
    """Turns the RAIS events that another reader reads into those of a chat, and is done after the end."""

    def __init__(self, reader: EventReader, answer: RaisAnswer) -> None:
        self.done = False
        self._reader = reader
        self._answer = answer
        self._is_first = True

    def feed(self, data: bytes) -> Iterator[Event]:
        """See :class:`.framing.EventReader`. Raises what :meth:`RaisAnswer.offset` raises, too."""
        return self._read(self._reader.feed(data))

    def end(self) -> Iterator[Event]:
        """See :class:`.framing.EventReader`."""
        return self._read(self._reader.end())

    def _read(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            kind = event.chunk["type"]
            if kind not in ("text", "done", "error"):
                yield event
                continue
            offset = self._answer.offset(event, is_first=self._is_first)
            self._is_first = False
            chunk = self._answer.chunk(event.chunk)
            if chunk is not None:
                yield Event(chunk, offset)
            if kind != "text":
                self.done = True
                return
        self.done = self._reader.done


def rais_body(messages: Messages, data: Data | None, run: RunContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """What ``useAIChat`` posts (2): roles and text; beside them ``body`` < the run's forwarded props < ``data``."""
    rows = [_row(message) for message in messages]
    return {"messages": rows, **body, **run.forwarded_props, **(data or {})}


def _row(message: UIMessage | Mapping[str, Any]) -> dict[str, str]:
    if isinstance(message, Mapping):
        if isinstance(message.get("content"), str):
            return {"role": str(message.get("role", "user")), "content": message["content"]}
        message = UIMessage.from_dict(message)
    return {"role": message.role, "content": message.text}
