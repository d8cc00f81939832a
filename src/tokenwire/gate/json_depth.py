"""How deep JSON is nested, without reading it: a decoder may be brought to its knees by brackets alone."""

import re
from itertools import accumulate

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""With or without an end: a text of nothing but quotes is gone through once all the same."""
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""As signed bytes: one level in, one level out."""
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_MOST = 200_000
"""Brackets outside of strings. Nobody's conversation has as many, and to count the levels of more takes its time."""


def is_deeper(body: bytes, limit: int) -> bool:
    """Whether brackets stand in each other more than ``limit`` deep, or are more than anybody has a use for.

    Of what is no JSON, either answer may come.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    steps = _STRING.sub(b"", body).translate(_STEPS, _OTHERS)
    if len(steps) > _MOST:
        return True
    return max(accumulate(memoryview(steps).cast("b")), default=0) > limit
