"""How often somebody was told that it was too much."""

import contextlib
from collections import Counter
from collections.abc import Iterator

from ..errors import Code, Refusal

hits: Counter[str] = Counter()
"""By kind, since this process began."""


def limits_hit(kind: str) -> None:
    """A limit has refused something. ``kind`` is one of a few words of ours, never a client's."""
    hits[kind] += 1


@contextlib.contextmanager
def counting(code: Code, kind: str) -> Iterator[None]:
    """Counts it where what is done within is refused with this code: by somebody who counts nothing."""
    try:
        yield
    except Refusal as refusal:
        if refusal.code is code:
            limits_hit(kind)
        raise
