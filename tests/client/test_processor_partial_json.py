"""JSON that is still arriving."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tokenwire.client.partial_json import parse_partial


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", UNSET),
        (" ", UNSET),
        ("{", {}),
        ('{"a', {}),
        ('{"a":', {}),
        ('{"a":"x', {"a": "x"}),
        ('{"a":"x\\', {"a": "x"}),
        ('{"a":"x\\u00e', {"a": "x"}),
        ('{"a":1', {"a": 1}),
        ('{"a":-', {}),
        ('{"a":1.', {"a": 1}),
        ('{"a":tr', {"a": True}),
        ('{"a":[1,{"b":nul', {"a": [1, {"b": None}]}),
        ("[1,2,", [1, 2]),
        ("hello", UNSET),
        ("{]", UNSET),
    ],
)
def test_what_there_is_of_it(text: str, value: Any) -> None:
    assert parse_partial(text) == value


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json, st.booleans())
def test_every_beginning_is_read_and_the_whole_is_the_whole(value: Any, spaced: bool) -> None:
    text = json.dumps(value, indent=1 if spaced else None, ensure_ascii=spaced)
    for end in range(len(text)):
        parse_partial(text[:end])
    assert parse_partial(text) == value
