"""A reply as the writes of one HTTP response: pure, so that every byte is known before a socket is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from itertools import accumulate, cycle
from typing import Literal, NamedTuple

from .reply import Reply
from .wires.base import Ask, Wire, to_json

Ending = Literal["keep", "close", "reset", "stall"]


class Write(NamedTuple):
    """Bytes that go out together."""

    data: bytes
    begun: int
    """Deltas that have begun by the end of these bytes."""
    complete: int
    """Deltas that have ended by the end of these bytes."""
    final: bool
    """Whether these bytes reach past the last delta."""


@dataclass(frozen=True, slots=True)
class Script:
    """The writes of a response, and what becomes of the connection after them."""

    writes: Sequence[Write]
    ending: Ending

    def intervals(self) -> Iterator[int]:
        """For each write, how many times the pause between two deltas comes before it."""
        begun = 1
        for write in self.writes:
            yield max(0, write.begun - begun)
            begun = max(begun, write.begun)


def script(wire: Wire, reply: Reply, ask: Ask, *, keep_alive: bool = True, chunking: bool = True) -> Script:
    """The response to a request of a wire, its faults included.

    `keep_alive` and `chunking` are what the peer can do: reuse the connection, read the chunked framing.
    """
    if reply.raw is not None:
        writes, keep_alive = [Write(reply.raw, 0, 0, final=True)], False
    else:
        streams = ask.stream and reply.status == HTTPStatus.OK and reply.body is None
        framing = reply.framing or ("chunked" if streams else "length")
        if framing == "chunked" and not chunking:
            framing = "close"
        keep_alive = keep_alive and framing != "close"
        status, headers, body = _stream(wire, reply, ask) if streams else _document(wire, reply, ask)
        body, end_of_body = _framed(body, framing)
        connection = {} if keep_alive else {"Connection": "close"}
        head = _head(status, headers | end_of_body | connection, reply.headers)
        writes = [Write(head, 0, 0, final=False), *body]
    ending, writes = _with_fault(reply, "keep" if keep_alive else "close", writes)
    if reply.write_sizes is not None:
        writes = list(_resized(writes, reply.write_sizes))
    return Script(writes, ending)


def _stream(wire: Wire, reply: Reply, ask: Ask) -> tuple[int, dict[str, str], list[Write]]:
    stream = wire.stream(reply, ask)
    total = sum(event.deltas for event in stream.content)
    body = [Write(wire.frame(reply, event).encode(), 0, 0, final=False) for event in stream.opening]
    said = 0
    for event in stream.content:
        past_the_last = said == total
        # What says no delta goes with the next one, as the beginning of it.
        begun = said if past_the_last else said + max(event.deltas, 1)
        said += event.deltas
        body.append(Write(wire.frame(reply, event).encode(), begun, said, past_the_last))
    body += [Write(wire.frame(reply, event).encode(), said, said, final=True) for event in stream.ending]
    return reply.status, {"Content-Type": wire.content_type, "Cache-Control": "no-cache"}, body


def _document(wire: Wire, reply: Reply, ask: Ask) -> tuple[int, dict[str, str], list[Write]]:
    status, content, deltas = reply.status, reply.body, 0
    if content is None and status != HTTPStatus.OK:
        content = wire.refusal(status)
    elif content is None and reply.error_after is not None:
        status, content = HTTPStatus.INTERNAL_SERVER_ERROR, wire.error(reply)
    elif content is None:
        content, deltas = wire.document(reply, ask), reply.deltas
    content_type = "application/json" if isinstance(content, Mapping) else "text/plain; charset=utf-8"
    text = to_json(content) if isinstance(content, Mapping) else content
    data = text.encode() if isinstance(text, str) else text
    return status, {"Content-Type": content_type}, [Write(data, deltas, deltas, final=deltas == 0)]


def _framed(body: list[Write], framing: str) -> tuple[list[Write], dict[str, str]]:
    """The body in its framing, and the header that announces it."""
    body = [write for write in body if write.data]
    if framing == "chunked":
        chunks = [write._replace(data=b"%x\r\n%b\r\n" % (len(write.data), write.data)) for write in body]
        said = chunks[-1].complete if chunks else 0
        last = chunks.pop().data if chunks and chunks[-1].final else b""
        # In the last event's write, because clients hang up on [DONE] without reading on.
        return [*chunks, Write(last + b"0\r\n\r\n", said, said, final=True)], {"Transfer-Encoding": "chunked"}
    if framing == "length":
        return body, {"Content-Length": str(sum(len(write.data) for write in body))}
    return body, {}


def _head(status: int, own: Mapping[str, str], given: Mapping[str, str]) -> bytes:
    replaced = {name.lower() for name in given}
    headers = {name: value for name, value in own.items() if name.lower() not in replaced} | dict(given)
    lines = [f"HTTP/1.1 {status} {responses.get(status, 'Scripted')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _resized(writes: Sequence[Write], sizes: Iterable[int]) -> Iterator[Write]:
    """The same bytes in writes of the given sizes."""
    data = b"".join(write.data for write in writes)
    ends = list(accumulate(len(write.data) for write in writes))
    start = 0
    for size in cycle(sizes):
        if start == len(data):
            return
        end = min(start + size, len(data))
        reached = writes[bisect_left(ends, end)]
        whole = bisect_right(ends, end)
        complete = writes[whole - 1].complete if whole else 0
        yield Write(data[start:end], reached.begun, complete, reached.final)
        start = end


def _with_fault(reply: Reply, ending: Ending, writes: list[Write]) -> tuple[Ending, list[Write]]:
    faults: tuple[tuple[Ending, int | None], ...]
    faults = (("close", reply.cut_at), ("reset", reply.reset_at), ("stall", reply.stall_at))
    for fault, offset in faults:
        if offset is not None and offset <= sum(len(write.data) for write in writes):
            return fault, list(_first(offset, writes))
    return ending, writes


def _first(size: int, writes: Iterable[Write]) -> Iterator[Write]:
    """The writes as far as their first `size` bytes."""
    complete = 0
    for write in writes:
        if len(write.data) > size:
            if size:
                yield write._replace(data=write.data[:size], complete=complete)
            return
        yield write
        size -= len(write.data)
        complete = write.complete
