"""The newest client's own webSocket(), which says who is asking in its first frame and renews it on the open socket."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..interop.node import Node, install
from ..server import Server
from .test_over_http import token

pytestmark = pytest.mark.parametrize("kind", ["sqlite"], scope="module")

LEEWAY = 30


@pytest.fixture(scope="module")
def clients() -> Iterator[Node]:
    install()
    with Node(str(Path(__file__).with_name("renewal.mjs"))) as node:
        yield node


def play(clients: Node, server: Server, upstream: ThreadedUpstream, second: str | None) -> dict[str, Any]:
    """What a chat comes to that asks once with a token that is soon over, and once when it is."""
    upstream.say("one ", "two", hold=True)
    first = token(exp=int(time.time()) - LEEWAY + 4)
    playing = clients.begin({"url": server.url, "first": first, "second": second}, dict)
    upstream.received().step()
    playing.wait("under way")
    upstream.received().release()
    return playing.result()


def test_a_token_that_is_renewed_in_mid_answer_carries_on(
    clients: Node, server: Server, upstream: ThreadedUpstream
) -> None:
    upstream.default = Reply(text=("three",))
    assert play(clients, server, upstream, token()) == {"said": ["one two", "three"], "error": None, "sockets": 1}


def test_one_that_is_not_ends_with_the_answer(clients: Node, server: Server, upstream: ThreadedUpstream) -> None:
    seen = play(clients, server, upstream, None)
    assert seen["said"][0] == "one two"
    assert seen["error"] == "Who is asking? Sign in, or send a valid key."
    assert (seen["sockets"], len(upstream.requests)) == (1, 1)
