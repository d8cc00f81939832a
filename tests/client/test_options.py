"""Options, however they are given."""

from typing import Any

import pytest

from tokenwire.client import FetchOptions, Limits, Reconnect
from tokenwire.client.options import provided_options, request_headers

pytestmark = pytest.mark.anyio


async def as_coroutine() -> dict[str, Any]:
    return {"headers": {"a": "b"}}


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"a": "b"}},
        FetchOptions(headers={"a": "b"}),
        lambda: {"headers": {"a": "b"}},
        lambda: FetchOptions(headers={"a": "b"}),
        as_coroutine,
    ],
)
async def test_a_value_or_a_function_of_either_kind(given: Any) -> None:
    assert await provided_options(FetchOptions, given) == FetchOptions(headers={"a": "b"})


async def test_nested_options_are_mappings_too() -> None:
    options = await provided_options(FetchOptions, {"reconnect": {"delay": 1}, "limits": {"silence": 2.0}})
    assert (options.reconnect, options.limits) == (Reconnect(delay=1), Limits(silence=2.0))
    assert await provided_options(FetchOptions, None) == FetchOptions()


async def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="header"):
        await provided_options(FetchOptions, {"header": {}})


@pytest.mark.parametrize(
    "bounds", [{"max_attempts": -1}, {"delay": -1}, {"delay": float("nan")}, {"delay": float("inf")}]
)
def test_bounds_that_are_none(bounds: Any) -> None:
    with pytest.raises(ValueError, match="Invalid reconnect"):
        Reconnect(**bounds)


def test_later_headers_win_whatever_their_case() -> None:
    pairs = [("X-Tag", "1"), ("x-tag", "2")]
    assert request_headers({}, {"Content-Type": "a", "X-A": "1"}, {"content-type": "b"}, pairs) == {
        "content-type": "b",
        "X-A": "1",
        "x-tag": "1, 2",
    }
    assert request_headers({"a": "1", "b": "2"}) == {"Cookie": "a=1; b=2"}
