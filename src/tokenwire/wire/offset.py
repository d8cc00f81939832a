"""Offsets: the opaque name of one event on the wire (docs/wires/tanstack.md 5.1, docs/wires/rais.md 9).

An offset names the run's log and a sequence number. It comes back in a ``Last-Event-ID`` header or a URL query, so
it is printable ASCII without spaces, and the same in every replay.
"""

import re

_OFFSET = re.compile(r"([A-Za-z0-9_-]{8,64}):(0|[1-9][0-9]{0,15})")


def format_offset(key: str, seq: int) -> str:
    """The offset of the event ``seq`` (1, 2, 3 …) in the log ``key``; seq 0 is the place before the first event."""
    return f"{key}:{seq}"


def parse_offset(text: str) -> tuple[str, int] | None:
    """The log's key and the sequence number that an offset names; ``None`` if it is not one of ours."""
    match = _OFFSET.fullmatch(text)
    return (match[1], int(match[2])) if match else None
