"""What a connection is sent where the log has no end to give it."""

from ..runs.log import Log
from ..wire.base import Encoder


def parting(log: Log, after: int, encoder: Encoder) -> bytes:
    """What a connection that begins past the end of its run is sent instead of nothing: the end, once more.

    A client whose connection broke after the end has nothing to come, and takes silence for a failure
    (docs/wires/tanstack.md 5.2).
    """
    return encoder.repeat(log.read(after - 1, 1)[0]) if log.closed and after == log.length else b""


def failing(log: Log, encoder: Encoder) -> bytes:
    """What a connection is sent in place of an end that the log could not be given (``Log.failure``)."""
    return encoder.tell(log.failure, log.info.thread_id, log.info.run_id) if log.failure is not None else b""
