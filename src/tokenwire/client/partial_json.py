"""What JSON says that is still arriving."""

import json
from typing import Any

from msgspec import UNSET

_LITERALS = {"t": "true", "f": "false", "n": "null"}


def parse_partial(text: str) -> Any:
    """The value ``text`` has so far: open strings, arrays and objects count as closed where the text ends.

    A number counts as far as it goes; a key without a value and a half escape are left out. :data:`msgspec.UNSET`
    when there is no value yet, or when no JSON begins like this.
    """
    try:
        value, _ = _value(text, _blank(text, 0))
    except (_EndError, ValueError, RecursionError):
        return UNSET
    return value


class _EndError(Exception):
    """The text ends before a value begins."""


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    if at >= len(text):
        raise _EndError
    first = text[at]
    if first == "{":
        return _object(text, at + 1)
    if first == "[":
        return _array(text, at + 1)
    if first == '"':
        return _string(text, at)
    if first in _LITERALS:
        return _literal(text, at, _LITERALS[first])
    return _number(text, at)


def _object(text: str, at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while True:
        at = _blank(text, at)
        if at >= len(text):
            return found, at
        if text[at] == "}":
            return found, at + 1
        if text[at] != '"':
            raise ValueError(f"no key at {at}")
        key, at = _string(text, at)
        at = _blank(text, at)
        if at >= len(text):
            return found, at
        if text[at] != ":":
            raise ValueError(f"no colon at {at}")
        try:
            found[key], at = _value(text, _blank(text, at + 1))
        except _EndError:
            return found, len(text)
        at = _comma(text, at, "}")


def _array(text: str, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while True:
        at = _blank(text, at)
        if at < len(text) and text[at] == "]":
            return found, at + 1
        try:
            value, at = _value(text, at)
        except _EndError:
            return found, len(text)
        found.append(value)
        at = _comma(text, at, "]")


def _comma(text: str, at: int, end: str) -> int:
    at = _blank(text, at)
    if at >= len(text) or text[at] == end:
        return at
    if text[at] != ",":
        raise ValueError(f"no comma at {at}")
    return at + 1


def _string(text: str, at: int) -> tuple[str, int]:
    end = at + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end < len(text):
        return json.loads(text[at : end + 1], strict=False), end + 1
    # A half escape, \u with fewer than four digits included, is at most five characters.
    for cut in range(len(text), max(at, len(text) - 6), -1):
        try:
            return json.loads(text[at:cut] + '"', strict=False), len(text)
        except ValueError:
            continue
    raise ValueError(f"no string at {at}")


def _literal(text: str, at: int, word: str) -> tuple[Any, int]:
    if text.startswith(word, at):
        return json.loads(word), at + len(word)
    if word.startswith(text[at:]):
        return json.loads(word), len(text)
    raise ValueError(f"no literal at {at}")


def _number(text: str, at: int) -> tuple[Any, int]:
    end = at
    while end < len(text) and text[end] in "+-.0123456789eE":
        end += 1
    if end == at:
        raise ValueError(f"no value at {at}")
    if end < len(text):
        return json.loads(text[at:end]), end
    for cut in range(end, at, -1):
        try:
            return json.loads(text[at:cut]), end
        except ValueError:
            continue
    raise _EndError
