"""A key stays inside its Secret."""

import copy
import dataclasses
import gc
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import msgspec
import pytest

from tokenwire.providers.base import Target
from tokenwire.secret import Secret, living

KEY = "sk-do-not-show-me"


@dataclasses.dataclass
class Account:
    name: str
    key: Secret


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
        lambda secret: repr(Account("n", secret)),
        lambda secret: pprint.pformat(dataclasses.asdict(Account("n", secret))),
        lambda secret: json.dumps({"key": secret}, default=str),
        lambda secret: logging.makeLogRecord({"msg": "key %s", "args": (secret,)}).getMessage(),
    ],
)
def test_no_text_shows_it(shown: Callable[[Secret], str]) -> None:
    text = shown(Secret(KEY))
    assert KEY not in text
    assert "****" in text


@pytest.mark.parametrize(
    "written",
    [
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
        vars,
        lambda secret: msgspec.json.encode(Target(name="n", provider="p", model="m", base_url="http://x", key=secret)),
        *(lambda secret, p=protocol: pickle.dumps(secret, p) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        lambda secret: secret.__getstate__(),
    ],
)
def test_nothing_takes_it_along(written: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refused:
        written(Secret(KEY))
    assert KEY not in "".join(traceback.format_exception(refused.value))


def test_reveal_is_the_way_out() -> None:
    assert Secret(KEY).reveal() == KEY


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_secret_itself(copied: Callable[[Secret], Secret]) -> None:
    secret = Secret(KEY)
    assert copied(secret) is secret


def test_equal_by_value() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(KEY + "x")
    assert Secret("é\ud800") == Secret("é\ud800")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1


def test_the_living_are_known_and_the_dead_forgotten() -> None:
    def known() -> int:
        return sum(secret.reveal() == "of-this-test-alone" for secret in living())

    first, second = Secret("of-this-test-alone"), Secret("of-this-test-alone")
    assert known() == 2
    del first
    gc.collect()
    assert known() == 1
    del second
    gc.collect()
    assert known() == 0
