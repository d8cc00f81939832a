"""Newline-delimited JSON as upstreams write it, cut into messages."""

from ..wire.sse import TooLong


class LineFraming:
    """A message is a line that is not blank, ended by LF or CRLF. See :class:`.answer.Framing`.

    :param limit: the most bytes one line may have.
    """

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete.

        Raises :class:`tokenwire.wire.sse.TooLong` on the first feed after an unfinished line has outgrown the limit,
        so that nothing that was complete is lost.
        """
        if len(self._rest) > self._limit:
            raise TooLong
        first, *others = data.split(b"\n")
        self._rest += first
        if not others:
            return []
        lines = [bytes(self._rest), *others[:-1]]
        self._rest = bytearray(others[-1])
        return [line for line in map(bytes.strip, lines) if line]

    def end(self) -> list[bytes]:
        """The last line, where nothing ended it."""
        rest = bytes(self._rest.strip())
        self._rest.clear()
        return [rest] if rest else []
