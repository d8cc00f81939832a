"""An exception in the log: where it was raised always, what it says only where that cannot be somebody's words."""

import traceback
from collections.abc import Iterator

from ..errors import TokenwireError
from .content import HIDDEN

_MOST = 20


def told(error: BaseException, *, content: bool) -> list[str]:
    """The lines of a traceback, with the exceptions that led to it and those that are in its group.

    :param content: whether every exception's own text may be shown.
    """
    lines: list[str] = []
    for one, how in _chain(error):
        lines += ["", how, ""] if how else []
        lines.append("Traceback (most recent call last):")
        lines += "".join(traceback.format_tb(one.__traceback__)).splitlines()
        lines.append(f"{_name(one)}: {_text(one, content)}")
    return lines


def unquoted(text: str, error: BaseException) -> str:
    """A message about an exception, without what that must not say: many a message repeats it."""
    for one, _ in _chain(error):
        for words in (repr(one), str(one)):
            if words:
                text = text.replace(words, _text(one, content=False))
    return text


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Every exception that belongs to it, and how it does. The one itself is the first."""
    seen: set[int] = set()
    waiting = [(error, "")]
    while waiting and len(seen) < _MOST:
        one, how = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one, how
        if one.__cause__ is not None:
            waiting.append((one.__cause__, "That was caused by:"))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append((one.__context__, "That was raised while this was handled:"))
        if isinstance(one, BaseExceptionGroup):
            waiting += [(member, "In that group:") for member in one.exceptions]


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text(error: BaseException, content: bool) -> str:
    if content:
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    if isinstance(error, TokenwireError):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return f"[Errno {error.errno}] {error.strerror}"  # without its file, whose name may be anybody's
    # anybody may say anything: an agent's ValueError, or its HTTP client's OSError, the whole question
    return HIDDEN if str(error) else ""
