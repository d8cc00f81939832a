"""One thing that a check has found."""

from typing import Literal

import msgspec

Level = Literal["ok", "note", "warning", "problem"]
"""``note`` is good to know; ``warning`` is weak; a ``problem`` does not work, or is open to everybody."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was seen; and where it is not in order, why that matters and what to do."""

    check: str
    level: Level
    seen: str
    why: str = ""
    todo: tuple[str, ...] = ()
    """Lines: a sentence, or what to write into a file."""

    @property
    def matters(self) -> bool:
        """Whether something should be done."""
        return self.level in ("warning", "problem")


def ok(check: str, seen: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", seen)


def note(check: str, seen: str, *todo: str, why: str = "") -> Finding:
    """Good to know."""
    return Finding(check, "note", seen, why, todo)


def warning(check: str, seen: str, *todo: str, why: str) -> Finding:
    """Weak."""
    return Finding(check, "warning", seen, why, todo)


def problem(check: str, seen: str, *todo: str, why: str) -> Finding:
    """Does not work, or is open to everybody."""
    return Finding(check, "problem", seen, why, todo)
