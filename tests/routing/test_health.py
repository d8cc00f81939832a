"""What a process remembers of its targets."""

import msgspec
import pytest

from tokenwire.errors import Code, UpstreamFailure
from tokenwire.routing import health
from tokenwire.routing.breaker import Rule
from tokenwire.routing.health import Health
from tokenwire.secret import Secret

from .targets import target

REFUSED = UpstreamFailure(Code.upstream_auth)


def test_keys_without_number_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_MOST", 3)
    watched = Health(Rule(failures=1))
    targets = [msgspec.structs.replace(target("a"), key=Secret(f"sk-{number}")) for number in range(5)]
    for one in targets:
        watched.fail(one, REFUSED, 0.0, probe=False)
    assert [watched.status(one, 0.0) for one in targets] == ["ok", "ok", "down", "down", "down"]
    assert watched.status(target("a"), 0.0) == "ok"


def test_a_target_that_does_well_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_MOST", 1)
    watched = Health(Rule(failures=1))
    failing, *others = (target(name) for name in "abcd")
    watched.fail(failing, REFUSED, 0.0, probe=False)
    for one in others:
        watched.ask(one, 0.0)
        watched.finish(one, 0.0, probe=False)
    assert watched.status(failing, 0.0) == "down"
