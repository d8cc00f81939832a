"""When streamed text is shown (docs/wires/tanstack.md, *Stream processor and chunk strategies*).

A strategy is asked after each delta whether the message shall now show what has come so far. Text it holds back is
shown at the end of its message at the latest.
"""

import re
from collections.abc import Sequence
from typing import Protocol


class ChunkStrategy(Protocol):
    """Decides when text reaches ``messages``."""

    def should_emit(self, delta: str, accumulated: str) -> bool:
        """Whether to show ``accumulated``, the text of this segment that ends with ``delta``."""

    def reset(self) -> None:
        """A new response begins."""


class ImmediateStrategy:
    """Shows every delta at once; the default."""

    def should_emit(self, delta: str, accumulated: str) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def reset(self) -> None:
        """Nothing to forget."""


class PunctuationStrategy:
    """Shows the text when a delta has a punctuation mark (``.,!?;:``) or a newline in it."""

    _mark = re.compile(r"[.,!?;:\n]")

    def should_emit(self, delta: str, accumulated: str) -> bool:  # noqa: ARG002
        """Whether there is a mark in ``delta``."""
        return self._mark.search(delta) is not None

    def reset(self) -> None:
        """Nothing to forget."""


class BatchStrategy:
    """Shows the text with every ``size``-th delta."""

    def __init__(self, size: int = 5) -> None:
        self._size = size
        self._count = 0

    def should_emit(self, delta: str, accumulated: str) -> bool:  # noqa: ARG002
        """Whether ``delta`` fills a batch."""
        self._count += 1
        if self._count < self._size:
            return False
        self._count = 0
        return True

    def reset(self) -> None:
        """Counts from the beginning."""
        self._count = 0


class WordBoundaryStrategy:
    """Shows the text when a delta ends in whitespace."""

    def should_emit(self, delta: str, accumulated: str) -> bool:  # noqa: ARG002
        """Whether ``delta`` ends a word."""
        return delta[-1:].isspace()

    def reset(self) -> None:
        """Nothing to forget."""


class CompositeStrategy:
    """Shows the text when any of ``strategies`` would. The first that would is the last one asked."""

    def __init__(self, strategies: Sequence[ChunkStrategy]) -> None:
        self._strategies = strategies

    def should_emit(self, delta: str, accumulated: str) -> bool:
        """Whether any would."""
        return any(strategy.should_emit(delta, accumulated) for strategy in self._strategies)

    def reset(self) -> None:
        """Resets them all."""
        for strategy in self._strategies:
            strategy.reset()
