"""What a key may use, and what its principal sees of it."""

import json
from typing import Any

import pytest

from tokenwire.testing import Reply

from ..accounts.stores import SHARED, Kind
from ..cli.command import tokenwire
from ..over_http.client import ask, get
from ..over_http.wires import RAIS
from ..server import Server
from .served import Limited

pytestmark = pytest.mark.parametrize("kind", SHARED)

KEYS = "[auth]\nkeys = true\n"


def key(limited: Limited, principal: str, *scopes: str) -> dict[str, str]:
    """The headers of somebody with a new key."""
    done = tokenwire("keys", "create", "--store", limited.store, "--principal", principal, *scopes, "--json")
    return {"authorization": f"Bearer {json.loads(done.stdout)['key']}"}


def spend(server: Server, headers: dict[str, str]) -> int:
    """Asks, and gives the status."""
    with ask(server.url, RAIS.path, RAIS.body(), headers) as answer:
        answer.read()
        return answer.status


def own(server: Server, headers: dict[str, str], query: str = "") -> Any:
    return get(server.url, f"/usage?{query}", headers).json


def test_the_scopes_of_a_key_limit_it_and_no_other(limited: Limited, kind: Kind) -> None:
    server = limited.start(KEYS)
    limited.upstream.default = Reply(text=("one",))
    small, other = key(limited, "ada", "--requests-per-minute", "1"), key(limited, "ada")
    poor = key(limited, "ada", "--day-tokens", "5")
    assert [spend(server, small), spend(server, small)] == [200, 429]
    assert [spend(server, other), spend(server, other)] == [200, 200]
    assert spend(server, poor) == 402


def test_everybody_sees_their_own_usage(limited: Limited, kind: Kind) -> None:
    server = limited.start(KEYS)
    limited.upstream.default = Reply(text=("one",))
    ada, bob = key(limited, "ada"), key(limited, "bob")
    assert [spend(server, ada), spend(server, ada), spend(server, bob)] == [200] * 3
    while own(server, ada)["total"]["runs"] + own(server, bob)["total"]["runs"] < 3:
        pass
    assert [line["group"] for line in own(server, ada, "by=principal")["usage"]] == ["ada"]
    (line,) = own(server, bob, "by=key")["usage"]
    assert line["runs"] == 1
    assert line["group"] not in {line["group"] for line in own(server, ada, "by=key")["usage"]}
    assert own(server, ada, f"key={line['group']}")["total"]["runs"] == 0
    assert get(server.url, "/usage").status == 401
