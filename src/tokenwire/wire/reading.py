"""Events out of bytes, as the JavaScript clients read them, without any I/O.

They read lines, not the blocks of the event stream specification (docs/wires/tanstack.md 3.1, 3.2): an event counts
when its line is complete, and a bare line of JSON is an event too. That is why this is not the parser of :mod:`.sse`.
Beyond what they do, several ``data:`` lines are joined up to the blank line, and a last line without a line feed
counts if it is a whole event.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import msgspec

from ..errors import ProtocolError, TruncatedStreamError

Chunk = dict[str, Any]
"""One event, as it came from JSON: ``{"type": "TEXT_MESSAGE_CONTENT", "messageId": …, "delta": …}``."""

_json = msgspec.json.Decoder()
_FIELDS = (b"data:", b"id:", b"event:", b"retry:", b":")


class Event(NamedTuple):
    """An event, and the offset that names it where the server numbers them."""

    chunk: Chunk
    offset: str | None = None


class EventReader(Protocol):
    """Bytes in, events out. Both methods raise :class:`ProtocolError` after the events before the error."""

    done: bool
    """Whether the server said that nothing more will come."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""

    def end(self) -> Iterator[Event]:
        """What the end of the body completes. Raises :class:`TruncatedStreamError` inside an event."""


class SseReader:
    """Server-sent events, and bare lines of JSON between them.

    ``[DONE]`` ends the reading. Where no terminal event came before it, it counts as one, of the run that the events
    named, else of the one given.
    """

    def __init__(self, limit: int, thread_id: str = "", run_id: str = "") -> None:
        self.done = False
        self._limit = limit
        self._lines = _Lines(limit)
        self._offset: str | None = None
        self._data = b""
        self._ids = {"threadId": thread_id, "runId": run_id}
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """See :class:`EventReader`."""
        for line in self._lines.feed(data):
            yield from self._read(line)
            if self.done:
                return

    def end(self) -> Iterator[Event]:
        """See :class:`EventReader`."""
        rest = self._lines.rest()
        if rest.startswith(b"data:"):
            self._data += _value(rest)
        elif rest.startswith(b"{"):
            self._data += rest
        elif any(rest.startswith(name) or name.startswith(rest) for name in _FIELDS if rest):
            raise TruncatedStreamError
        elif rest.strip():
            yield self._event(_parse(rest))
        if self._data:
            yield self._event(_parse(self._data, is_last=True))

    def _read(self, line: bytes) -> Iterator[Event]:
        if line.startswith(b"data:"):
            yield from self._read_data(_value(line))
        elif line.startswith(b"id:") or line == b"id":
            self._offset = _value(line).decode("utf-8", "replace")
        elif line.startswith(_FIELDS):
            return
        elif line.strip():
            yield self._event(_parse(line))
        elif self._data:
            data, self._data = self._data, b""
            yield self._event(_parse(data))

    def _read_data(self, data: bytes) -> Iterator[Event]:
        if not self._data and data.strip() == b"[DONE]":
            self.done = True
            if not self._ended:
                now = time.time_ns() // 1_000_000
                yield Event({"type": "RUN_FINISHED", **self._ids, "finishReason": "stop", "timestamp": now})
        elif not self._data and (value := _loads(data)) is not None:
            yield self._event(value)
        else:
            self._data += data + b"\n"
            if len(self._data) > self._limit:
                raise _too_long(self._limit)

    def _event(self, value: object) -> Event:
        chunk = _check(value)
        for name in self._ids:
            if isinstance(chunk.get(name), str):
                self._ids[name] = chunk[name]
        self._ended = self._ended or is_terminal(chunk)
        offset, self._offset = self._offset, None
        return Event(chunk, offset)


class NdjsonReader:
    """One JSON a line: an event, or ``{"id", "chunk"}`` where the server numbers them."""

    def __init__(self, limit: int) -> None:
        self.done = False
        self._lines = _Lines(limit)

    def feed(self, data: bytes) -> Iterator[Event]:
        """See :class:`EventReader`."""
        for line in self._lines.feed(data):
            if line.strip():
                yield read_envelope(_parse(line))

    def end(self) -> Iterator[Event]:
        """See :class:`EventReader`."""
        rest = self._lines.rest()
        if rest.strip():
            yield read_envelope(_parse(rest, is_last=True))


def is_terminal(chunk: Chunk) -> bool:
    """Whether an event ends a run, or one turn of it."""
    return chunk.get("type") in ("RUN_FINISHED", "RUN_ERROR")


def read_message(text: str | bytes) -> Event | None:
    """The event in one WebSocket message; ``None`` for a ping."""
    value = _parse(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    if isinstance(value, dict) and value.get("type") == "ping":
        return None
    return read_envelope(value)


def read_envelope(value: object) -> Event:
    """The event in an envelope, or bare."""
    if isinstance(value, dict) and "type" not in value and isinstance(value.get("id"), str) and "chunk" in value:
        return Event(_check(value["chunk"]), value["id"])
    return Event(_check(value))


class _Lines:
    """Cuts bytes into lines that end with LF or CRLF. The line ends are left out, and so is a byte order mark."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that these bytes complete."""
        first, *others = data.split(b"\n")
        self._rest += first
        if len(self._rest) > self._limit:
            raise _too_long(self._limit)
        if not others:
            return
        line, self._rest = bytes(self._rest), bytearray()
        if not self._begun:
            self._begun = True
            line = line.removeprefix(codecs.BOM_UTF8)
        yield line.removesuffix(b"\r")
        last = others.pop()
        for line in others:
            yield line.removesuffix(b"\r")
        self._rest += last

    def rest(self) -> bytes:
        """What no line end follows."""
        return bytes(self._rest).removeprefix(b"" if self._begun else codecs.BOM_UTF8)


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")


def _loads(data: bytes) -> object:
    """What the JSON says; ``None`` if it is null or none."""
    try:
        return _json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _parse(data: bytes, *, is_last: bool = False) -> object:
    value = _loads(data)
    if value is None and is_last and data.lstrip().startswith(b"{"):
        raise TruncatedStreamError
    if value is None:
        raise ProtocolError(f"This is no event of a chat: {printable(data, 60)}")
    return value


def _check(value: object) -> Chunk:
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return value
    raise ProtocolError("This is JSON, but no event of a chat: it has no type.")


def printable(said: bytes | str, length: int) -> str:
    """The beginning of anything as one line that a terminal may show."""
    text = said[: 8 * length].decode("utf-8", "replace") if isinstance(said, bytes) else said[: 8 * length]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:length]


def _too_long(limit: int) -> ProtocolError:
    return ProtocolError(f"The server sent an event of more than {limit} bytes.")
