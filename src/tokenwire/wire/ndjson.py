"""Newline-delimited JSON: one JSON a line, with TanStack's envelope where the wire carries offsets.

docs/wires/tanstack.md 3.2.
"""

CONTENT_TYPE = "application/x-ndjson"
HEARTBEAT = b"\n"
"""Clients skip empty lines."""


def frame(event: bytes, offset: bytes | None) -> bytes:
    """One event, a single line of JSON, as it goes on the wire; in an envelope where the wire carries offsets."""
    if offset is None:
        return event + b"\n"
    return b'{"id":"' + offset + b'","chunk":' + event + b"}\n"
