"""Offsets: printable, the same in every replay, and ours alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.runs.log import log_key
from tokenwire.wire.offset import format_offset, parse_offset

KEYS = st.builds(log_key, st.text(), st.text())
SEQS = st.integers(0, 10**15)


@settings(deadline=None)
@given(KEYS, SEQS)
def test_an_offset_names_its_log_and_place(key: str, seq: int) -> None:
    assert parse_offset(format_offset(key, seq)) == (key, seq)


@settings(deadline=None)
@given(KEYS, SEQS)
def test_an_offset_can_stand_in_a_header_and_a_query(key: str, seq: int) -> None:
    offset = format_offset(key, seq)
    assert offset.isascii()
    assert offset.isprintable()
    assert not set(offset) & set(' "#%&+<>?/\\')


OTHERS = ["", ":", "1", "42", "-1", "now", "memory:v1:run-1:7", "short:1", "a" * 65 + ":1"]
ODD_KEYS = ["abcdefgé:1", "abcd+fgh:1", "abcd/fgh:1", "abcd fgh:1", "\ud800bcdefgh:1", ":1"]
ODD_SEQS = ["-1", "+1", "01", "00", "1.0", "1e3", "0x1", "1:2", ":1", "1_0", "9" * 17, "9" * 5000, "١", "¹", " 1", ""]
ODD_ENDS = [" abcdefgh:1", "abcdefgh:1 ", "abcdefgh:1\n", "abcdefgh:1\r\n", "abcdefgh:1\0", "abcdefgh"]


@pytest.mark.parametrize("text", [*OTHERS, *ODD_KEYS, *(f"abcdefgh:{seq}" for seq in ODD_SEQS), *ODD_ENDS])
def test_what_is_not_ours_is_none(text: str) -> None:
    assert parse_offset(text) is None


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[\w-]{6,10}:\d{1,3}"))
def test_each_place_has_one_name(text: str) -> None:
    place = parse_offset(text)
    assert place is None or format_offset(*place) == text
