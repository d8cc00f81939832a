"""Server-sent events: the frame we write, and an incremental parser of what others write.

Writing (docs/wires/tanstack.md 3.1, docs/wires/rais.md 6): LF only, one ``data:`` line with one space after the
colon, ``id:`` before it. Every real client reads that; each reads only some of the other legal forms.

Reading follows the WHATWG specification of event streams: any mix of LF, CRLF and CR, comments, fields in any
order, several ``data:`` lines, cut anywhere.
"""

import codecs

CONTENT_TYPE = "text/event-stream"
HEARTBEAT = b"\n"
"""The one heartbeat that every client skips in silence: an empty line (docs/wires/tanstack.md 3.1)."""


def frame(event: bytes, offset: bytes | None) -> bytes:
    """One event, a single line of JSON, as it goes on the wire; with its offset where the wire carries one."""
    if offset is None:
        return b"data: " + event + b"\n\n"
    return b"id: " + offset + b"\ndata: " + event + b"\n\n"


class TooLong(ValueError):
    """An event outgrew the parser's limit."""


class Parser:
    """Bytes in, the data of each event out. What else an event may have, no model's API says anything with.

    :param limit: the most bytes one event may have.
    """

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self._limit = limit
        self._rest = b""
        self._after_cr = False
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """The events that these bytes complete.

        Raises :class:`TooLong` on the first feed after an unfinished event has outgrown the limit, so that nothing
        that was complete is lost.
        """
        if len(self._rest) > self._limit:
            raise TooLong
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._line_feeds(data)
        if not self._begun:
            data = self._without_mark(data)
        blocks = (self._rest + data if self._rest else data).split(b"\n\n")
        self._rest = blocks.pop()
        messages = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                messages.append(block[6:])
            elif (message := _dispatch(block)) is not None:
                messages.append(message)
        return messages

    def end(self) -> list[bytes]:
        """The event that the end of the stream cuts short, where its data lines look complete.

        The specification drops it; servers that forget the last empty line are common enough that we do not.
        """
        rest, self._rest = self._rest, b""
        message = _dispatch(rest)
        return [] if message is None else [message]

    def _without_mark(self, data: bytes) -> bytes:
        # a stream may begin with a byte order mark, which may come in pieces
        data = self._rest + data
        self._rest = b""
        if len(data) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(data):
            return data
        self._begun = True
        return data.removeprefix(codecs.BOM_UTF8)

    def _line_feeds(self, data: bytes) -> bytes:
        # a CR at the end of one read may be half of a CRLF: it counts at once, and a following LF is dropped
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            if not data:
                self._after_cr = False
                return data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _dispatch(block: bytes) -> bytes | None:
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines) if lines else None
