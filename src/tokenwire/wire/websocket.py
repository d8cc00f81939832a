"""WebSocket text frames: one JSON a frame, with TanStack's envelope where the wire carries offsets.

docs/wires/tanstack.md 1.7, docs/wires/rais.md 11.
"""

CONTENT_TYPE = "application/json"
HEARTBEAT = b'{"type":"ping"}'
"""Skipped by the clients that read envelopes; to all others it would be an event."""


def frame(event: bytes, offset: bytes | None) -> bytes:
    """One event as one frame's text; in an envelope where the wire carries offsets."""
    if offset is None:
        return event
    return b'{"id":"' + offset + b'","chunk":' + event + b"}"
