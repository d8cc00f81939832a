"""A call that a scripted model makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. The arguments are deltas of one JSON text, as the wires stream it that do so."""

    id: str | None
    """None leaves it out, which Gemini and Ollama allow."""
    name: str
    arguments: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.arguments, str):
            raise TypeError("arguments are a sequence of deltas, not one string")

    @property
    def json(self) -> str:
        """The arguments' whole text."""
        return "".join(self.arguments)

    @property
    def value(self) -> Any:
        """The arguments parsed, none being an empty object; ValueError if they are no JSON."""
        return json.loads(self.json or "{}")
