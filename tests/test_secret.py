"""A key stays inside its Secret."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import msgspec
import pytest

from tokenwire.providers.base import Target
from tokenwire.secret import Secret

KEY = "sk-do-not-show-me"


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{!r:>40}".format,
        "{:>40}".format,
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: f"{secret} {secret!r} {[secret]} {(secret,)}",
        lambda secret: repr(Target(name="n", provider="p", model="m", base_url="http://x", key=secret)),
        lambda secret: logging.makeLogRecord({"msg": "key %s", "args": (secret,)}).getMessage(),
    ],
)
def test_no_text_shows_it(shown: Callable[[Secret], str]) -> None:
    text = shown(Secret(KEY))
    assert KEY not in text
    assert "****" in text


@pytest.mark.parametrize(
    "written", [json.dumps, msgspec.json.encode, msgspec.to_builtins, pickle.dumps, copy.copy, vars]
)
def test_nothing_takes_it_along(written: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        written(Secret(KEY))
    assert KEY not in "".join(traceback.format_exception(refused.value))


def test_reveal_is_the_way_out() -> None:
    assert Secret(KEY).reveal() == KEY
