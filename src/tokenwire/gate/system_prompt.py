"""A persona's system prompt: text with variables, of which each is a name and nothing more.

``{{date}}`` stands for a value, ``{{{{`` for two braces; everything else stands for itself. A prompt is read once, and
what a value holds is never read again: no client can bring a variable in.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

MAX_VALUE = 200
"""Characters of a value that comes from a client."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK = re.compile(rf"(?P<braces>\{{{{4}})|\{{\{{\s*(?P<name>{_NAME.pattern})\s*\}}\}}|(?P<stray>\{{\{{)")


class Variable(StrEnum):
    """What every system prompt may name."""

    date = "date"
    time = "time"
    weekday = "weekday"
    persona = "persona"
    model = "model"
    thread_id = "thread_id"
    principal = "principal"


class SystemPrompt(msgspec.Struct, frozen=True):
    """A prompt that was read: text, and the places where values go."""

    pieces: tuple[str | Variable, ...]

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def render(self, values: Mapping[Variable, str]) -> str:
        """The prompt with these values, each as one line of plain text."""
        return "".join(plain(values[piece]) if isinstance(piece, Variable) else piece for piece in self.pieces)


def read_prompt(text: str, constants: Mapping[str, str]) -> SystemPrompt:
    """A prompt and its own constants. Raises :class:`ValueError`, which says what is wrong with it."""
    for name in constants:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a variable: letters, digits and _")
        if name in Variable.__members__:
            raise ValueError(f"{name!r} is a variable of every prompt")
    pieces: list[str | Variable] = []
    end = 0
    for mark in _MARK.finditer(text):
        pieces += (text[end : mark.start()], _value(mark, constants))
        end = mark.end()
    pieces.append(text[end:])
    return SystemPrompt(tuple(piece for piece in pieces if piece))


def values(now: datetime, *, persona: str, model: str, thread_id: str, principal: str) -> dict[Variable, str]:
    """What the variables stand for in one request."""
    return {
        Variable.date: f"{now:%Y-%m-%d}",
        Variable.time: f"{now:%H:%M}",
        Variable.weekday: _WEEKDAYS[now.weekday()],
        Variable.persona: persona,
        Variable.model: model,
        Variable.thread_id: thread_id,
        Variable.principal: principal,
    }


def plain(value: str) -> str:
    """A value as one line of at most :data:`MAX_VALUE` characters that can all be seen."""
    visible = "".join(character if character.isprintable() else " " for character in value[: 4 * MAX_VALUE])
    return " ".join(visible.split())[:MAX_VALUE]


def _value(mark: re.Match[str], constants: Mapping[str, str]) -> str | Variable:
    if mark["braces"]:
        return "{{"
    name = mark["name"]
    if name is None:
        raise ValueError("'{{' that begins no variable: write '{{{{' for two braces")
    if name in constants:
        return constants[name]
    if name in Variable.__members__:
        return Variable(name)
    raise ValueError(f"there is no variable {{{{{name}}}}}: {', '.join([*Variable, *constants])}")
