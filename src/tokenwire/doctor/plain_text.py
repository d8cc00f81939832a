"""Whether secrets stand in a configuration's file, where they do not belong."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..observe.redaction import redact
from .finding import Finding, ok, warning

CHECK = "secrets"


def check(file: Path) -> Iterator[Finding]:
    """Of every text in it, by what it looks like. Of a file that cannot be read, nothing is said."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return  # whoever loads it says why
    places = list(_secrets("", data))
    for place in places:
        yield warning(
            CHECK,
            f"{place} holds a secret, or what looks like one",
            "export TOKENWIRE_STORE=…   # and take it out of the file"
            if place == "store"
            else 'put it into the environment, and into the file the name of its variable: key_env = "NAME"',
            why="Whoever reads the file, a copy or its history has it.",
        )
    if not places:
        yield ok(CHECK, f"there is none in {file}")


def _secrets(place: str, value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _secrets(f"{place}.{name}" if place else name, inner)
        case list():
            for number, inner in enumerate(value):
                yield from _secrets(f"{place}[{number}]", inner)
        case str():
            line = f'{place.rpartition(".")[2]} = "{value}"'
            if redact(line) != line:
                yield place
