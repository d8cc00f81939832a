"""The disconnect policy of an address, and the line in the log that says what ended a run and how much that saved."""

from pathlib import Path

import pytest

from tokenwire.config import load
from tokenwire.errors import ConfigError
from tokenwire.testing import ThreadedUpstream

from ..conftest import Serve
from ..server import Server
from .client import ask
from .wires import RAIS, TANSTACK, TANSTACK_NDJSON, Wire

MODEL = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"
key_env = ""
"""
POLICIES = """
[disconnect]
tanstack = "continue"
rais = "grace(0.2)"

[disconnect.routes]
"/api/chat/ndjson" = "cancel"
"/api/chat/rais" = "continue"
"""


def hang_up(server: Server, upstream: ThreadedUpstream, wire: Wire) -> None:
    """Asks, hears the first of two words, and leaves."""
    number = len(upstream.requests) + 1
    upstream.say("heard ", "unheard", hold=True)
    with ask(server.url, wire.path, wire.body(run_id="left")) as answer:
        upstream.received(number).step()
        answer.until(b"heard ")


@pytest.mark.parametrize(
    ("wire", "policy"),
    [(TANSTACK_NDJSON, "cancel"), (RAIS, "grace(0.2)")],
    ids=["the route's", "the wire's"],
)
def test_the_policy_that_ends_a_run_is_named_with_what_it_saved(
    upstream: ThreadedUpstream, serve: Serve, wire: Wire, policy: str
) -> None:
    server = serve(MODEL + "max_tokens = 100\n" + POLICIES)
    hang_up(server, upstream, wire)
    upstream.received().wait_closed()
    assert f"is ended by the disconnect policy {policy}, which saves at most 99 tokens" in server.log.read_text()


def test_what_is_saved_of_an_answer_without_a_bound_is_not_known(upstream: ThreadedUpstream, serve: Serve) -> None:
    server = serve(MODEL + POLICIES)
    hang_up(server, upstream, TANSTACK_NDJSON)
    upstream.received().wait_closed()
    assert "policy cancel, which saves an unknown number of tokens (no max_tokens)" in server.log.read_text()


def test_an_explicit_stop_is_named_too(upstream: ThreadedUpstream, serve: Serve) -> None:
    server = serve(MODEL + "max_tokens = 100\n" + POLICIES)
    hang_up(server, upstream, TANSTACK)
    ask(server.url, "/api/chat/runs/left/cancel")
    upstream.received().wait_closed()
    assert "run left is ended by a cancel, which saves at most 99 tokens" in server.log.read_text()


@pytest.mark.parametrize(
    "wire", [TANSTACK, Wire("rais", "/api/chat/rais", "sse", resumes=True)], ids=["the wire's", "the route's"]
)
def test_with_continue_nobody_ends_it(upstream: ThreadedUpstream, serve: Serve, wire: Wire) -> None:
    server = serve(MODEL + POLICIES)
    hang_up(server, upstream, wire)
    # by then a run at another address, left later, has been ended by its own policy
    hang_up(server, upstream, RAIS)
    upstream.received(2).wait_closed()
    first = upstream.received()
    first.release()
    first.wait_finished()


@pytest.mark.parametrize("policy", ["maybe", "", "grace", "grace()", "grace(-1)", "grace(1", "Cancel", "cancel "])
def test_a_route_with_a_policy_that_is_none_is_named(tmp_path: Path, policy: str) -> None:
    file = tmp_path / "tokenwire.toml"
    text = MODEL.replace("{upstream}", "http://model.example/v1")
    file.write_text(f'{text}[disconnect.routes]\n"/api/chat/ndjson" = "{policy}"\n')
    with pytest.raises(ConfigError) as wrong:
        load(file, {})
    assert "disconnect.routes" in str(wrong.value)
    assert "/api/chat/ndjson" in str(wrong.value)
