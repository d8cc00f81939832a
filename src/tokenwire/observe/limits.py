"""How often somebody was told that it was too much."""

from collections import Counter

from ..errors import Code, Refusal

hits: Counter[str] = Counter()
"""By kind, since this process began."""


def limits_hit(kind: str) -> None:
    """A limit has refused something. ``kind`` is one of a few words of ours, never a client's."""
    hits[kind] += 1


class Counting:
    """Counts it where what is done within is refused with this code: by somebody who counts nothing."""

    __slots__ = ("_code", "_kind")

    def __init__(self, code: Code, kind: str) -> None:
        self._code = code
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: object, __: object) -> None:
        if isinstance(error, Refusal) and error.code is self._code:
            limits_hit(self._kind)
