"""When streamed text is shown."""

from collections.abc import Sequence

import pytest

from tokenwire.client import (
    BatchStrategy,
    ChatClient,
    ChunkStrategy,
    CompositeStrategy,
    ImmediateStrategy,
    PunctuationStrategy,
    WordBoundaryStrategy,
)

from .scripted import Scripted, says

DELTAS = ["Hel", "lo, ", "wo", "rld", "!", " Bye"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("strategy", "shown"),
    [
        (ImmediateStrategy(), ["Hel", "Hello, ", "Hello, wo", "Hello, world", "Hello, world!", "Hello, world! Bye"]),
        (PunctuationStrategy(), ["Hello, ", "Hello, world!", "Hello, world! Bye"]),
        (WordBoundaryStrategy(), ["Hello, ", "Hello, world! Bye"]),
        (BatchStrategy(2), ["Hello, ", "Hello, world", "Hello, world! Bye"]),
        (BatchStrategy(), ["Hello, world!", "Hello, world! Bye"]),
        (
            CompositeStrategy([WordBoundaryStrategy(), BatchStrategy(3)]),
            ["Hello, ", "Hello, world", "Hello, world! Bye"],
        ),
    ],
)
async def test_what_is_shown_when(strategy: ChunkStrategy, shown: Sequence[str]) -> None:
    seen: list[str] = []
    adapter = Scripted(says(*DELTAS), says(*DELTAS, message_id="m2"))
    async with ChatClient(
        adapter, chunk_strategy=strategy, on_messages_change=lambda messages: seen.append(messages[-1].text)
    ) as client:
        for _ in range(2):
            seen.clear()
            await client.send_message("hi")
            assert [text for text in seen if text not in ("hi", "")] == shown
