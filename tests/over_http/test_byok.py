"""Keys that a client brings: sent upstream for that one run, and nowhere else."""

from collections.abc import Iterator

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..server import Server
from .client import ask, get
from .conftest import CANARY, MODEL, Start
from .web_socket import Socket
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

THEIRS = "sk-theirs-93be01d4c2f7a856"
CONFIG = f"""
model = "theirs"
{MODEL}
[models.theirs]
provider = "openai"
base_url = "{{upstream}}"
model = "upstream-of-theirs"
key_env = ""
retries = 0

[models.either]
retries = 0
[[models.either.targets]]
provider = "openai"
base_url = "{{upstream}}"
model = "upstream-of-either"
key_env = "CANARY"

[models.agreed]
provider = "groq"
base_url = "{{upstream}}"
model = "upstream-of-agreed"
key_env = "CANARY"

[byok]
providers = ["openai"]

[runs]
breaker_seconds = 0

[cors]
origins = ["https://app.example"]
"""
HEADERS = {"x-byok-openai": THEIRS}


@pytest.fixture(scope="session")
def byok_server(start: Start) -> Server:
    return start("byok", CONFIG)


@pytest.fixture
def byok(byok_server: Server) -> Iterator[str]:
    """The URL of a server that takes keys for one provider. None of them is ever in its log."""
    yield byok_server.url
    assert THEIRS[:14] not in byok_server.log.read_text()


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
def test_the_key_is_asked_with_for_that_run_alone(upstream: ThreadedUpstream, byok: str, wire: Wire) -> None:
    upstream.say("Hi")
    upstream.say("Hi")
    assert wire.text(ask(byok, wire.path, wire.body(model="either"), HEADERS).read()) == "Hi"
    assert wire.text(ask(byok, wire.path, wire.body(model="either")).read()) == "Hi"
    assert [request.headers["authorization"] for request in upstream.requests] == [
        f"Bearer {THEIRS}",
        f"Bearer {CANARY}",
    ]


def test_another_provider_is_asked_with_our_own(upstream: ThreadedUpstream, byok: str) -> None:
    upstream.say("Hi")
    ask(byok, body=RAIS.body(model="agreed"), headers={**HEADERS, "x-byok-groq": THEIRS}).read()
    asked = upstream.received()
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    assert THEIRS not in f"{asked.headers}{asked.body}"


@pytest.mark.parametrize("wire", [TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
def test_a_key_that_is_missing_is_told_as_the_newest_client_understands_it(
    upstream: ThreadedUpstream, byok: str, wire: Wire
) -> None:
    answer = ask(byok, wire.path, wire.body(), {"x-byok-anthropic": THEIRS})
    assert (answer.status, answer.headers["content-type"]) == (401, "application/json")
    error = answer.json["error"]
    assert error == {
        "type": "byok_missing",
        "provider": "openai",
        "message": "Missing openai API key",
        "code": "byok_missing",
    }
    assert upstream.requests == []


def test_on_the_other_wire_it_is_a_sentence(upstream: ThreadedUpstream, byok: str) -> None:
    answer = ask(byok, body=RAIS.body())
    assert (answer.status, answer.read()) == (401, b"Missing openai API key")
    assert upstream.requests == []


def test_what_is_no_key_is_refused(upstream: ThreadedUpstream, byok: str) -> None:
    answer = ask(byok, body=RAIS.body(), headers={"x-byok-openai": f"{THEIRS} and more"})
    assert (answer.status, answer.read()) == (422, b"What x-byok-openai holds is not a key.")
    assert upstream.requests == []


def test_a_model_that_quotes_their_key_is_not_quoted(upstream: ThreadedUpstream, byok: str) -> None:
    for reply in (
        Reply(status=401, body=f"Incorrect API key provided: {THEIRS}."),
        Reply(text=["a", "b"], error_after=1, error={"message": THEIRS, "code": THEIRS}),
    ):
        upstream.reply(reply)
        answer = ask(byok, body=TANSTACK.body(), headers=HEADERS)
        assert THEIRS[:14] not in f"{answer.headers}{answer.read()!r}"
    assert THEIRS[:14] not in get(byok, "/models").read().decode()


def test_a_refused_key_of_theirs_says_nothing_of_others(upstream: ThreadedUpstream, byok: str) -> None:
    for _ in range(6):
        upstream.reply(Reply(status=401))
        refused = ask(byok, body=RAIS.body(model="either"), headers=HEADERS)
        assert (refused.status, refused.read()) == (400, b"The model's provider refused your key.")
    upstream.say("Hi")
    assert RAIS.text(ask(byok, body=RAIS.body(model="either")).read()) == "Hi"
    (either,) = (model for model in get(byok, "/models").json["models"] if model["name"] == "either")
    assert either["status"] == "ok"


@pytest.mark.parametrize("status", [401, 402])
def test_what_is_wrong_with_their_key_is_theirs_to_know_and_with_ours_ours(
    upstream: ThreadedUpstream, byok: str, status: int
) -> None:
    told = []
    for headers in (HEADERS, {}):
        upstream.reply(Reply(status=status))
        answer = ask(byok, TANSTACK.path, TANSTACK.body(model="either"), headers)
        told.append((answer.status, answer.json["error"]["code"]))
    assert told == [(400, "byok_refused"), (502, {401: "upstream_auth", 402: "upstream_quota"}[status])]


def test_a_browser_may_send_it(byok: str) -> None:
    asks = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-byok-openai,x-run-id",
    }
    answer = ask(byok, "/api/chat", None, asks, method="OPTIONS")
    assert answer.status == 200
    assert "x-byok-openai" in answer.headers["access-control-allow-headers"]


def test_a_socket_brings_it_when_it_opens(upstream: ThreadedUpstream, byok: str) -> None:
    upstream.say("Hi")
    with Socket(byok, "", HEADERS) as socket:
        socket.send(TANSTACK.body())
        socket.read()
        assert upstream.received().headers["authorization"] == f"Bearer {THEIRS}"
    with Socket(byok) as socket:
        socket.send(TANSTACK.body())
        assert socket.read().event["code"] == "byok_missing"
