"""A run that is come back to."""

from ..wire.reading import Chunk
from .processor import StreamProcessor
from .turns import Turn, Turns

_PATIENCE = 2.0
"""Seconds in which a run that is joined has to show its first event (docs/wires/tanstack.md, 5.4)."""

_CONTENT = ("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TOOL_CALL_START", "REASONING_MESSAGE_CONTENT")


async def replay(turn: Turn, turns: Turns, processor: StreamProcessor) -> None:
    """Shows a run from its beginning, and goes on with it until it ends.

    A run that is not kept any more is no error: its answer is in the transcript. What fails later is raised.
    """
    attached = rebuilt = False

    def first(chunk: Chunk) -> None:
        nonlocal attached, rebuilt
        attached = True
        if not rebuilt and chunk.get("type") in _CONTENT:
            rebuilt = True
            # The replay tells the answer from its beginning.
            messages = processor.messages
            if messages and messages[-1].role == "assistant":
                processor.set_messages(messages[:-1])

    processor.prepare()
    try:
        await turns.join(turn, first, _PATIENCE)
    except Exception:
        if attached:
            raise
