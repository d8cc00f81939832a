"""What opens something is nowhere but in the hands of whoever shows it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import ask, get
from ..over_http.web_socket import Socket, types
from ..over_http.wires import TANSTACK
from .canaries import ANSWER, BYOK, CONTENT, PROMPT, PROVIDER_KEY, SCRAPER_TOKEN, STORE_PASSWORD, UNSEEN, leaks
from .credentials import ENVIRONMENT, PEPPER, SHARED, KeyCommand, bearer, issued, subprotocols, words
from .flows import GOOD, Told
from .server import Running, running

CONFIG = """
model = "fast"

[models.fast]
provider = "openai-compatible"
base_url = "{upstream}"
model = "any"
key_env = "PROVIDER_KEY"
retries = 0

[models.theirs]
provider = "openai"
base_url = "{upstream}"
model = "any"
key_env = ""
retries = 0

[byok]
providers = ["openai"]

[auth]
keys = true
cookie = "session"

[auth.jwt]
issuer = "https://login.example"
audience = "tokenwire"
secret_env = "SHARED"

[rates.per_key]
requests_per_minute = 600

[budgets.per_principal]
day_tokens = 1000000

[runs]
breaker_seconds = 0.0

[metrics]
token_env = "SCRAPER"

[traces]
enabled = true
"""


class Stage:
    """A server that asks everybody who they are, and all that was said of it."""

    def __init__(self, server: Running, upstream: ThreadedUpstream, keys: KeyCommand) -> None:
        self.server = server
        self.url = server.url
        self.upstream = upstream
        self.keys = keys
        self.told = Told()
        self.shown: dict[str, str] = {}
        """Every credential, by what it is."""

    def show(self, what: str, token: str) -> str:
        self.shown[what] = token
        return token

    def asked(self, status: int, headers: dict[str, str], **more: Any) -> None:
        """Asks a question that is answered with this status."""
        answer = ask(self.url, body=TANSTACK.body(PROMPT, **more), headers=headers)
        self.told.hear(answer, of_a_run=status == 200)
        assert answer.status == status, answer.body

    def until(self, status: int, token: str) -> None:
        """Asks until a token means this: every process knows of a change within a second."""
        while get(self.url, "/models", bearer(token)).status != status:
            pass

    def talk(self, status: int, token: str) -> None:
        """Shows a token in every way there is."""
        page = {"sec-fetch-site": "same-origin"}
        for headers in (bearer(token), {"x-api-key": token}, {"cookie": f"session={token}", **page}):
            self.asked(status, headers)
        ways: list[Callable[[], Socket]] = [
            lambda: Socket(self.url, "", bearer(token)),
            lambda: Socket(self.url, subprotocols=subprotocols(token)),
        ]
        for way in ways:
            if status == 200:
                with way() as socket:
                    self.converse(socket)
            else:
                with pytest.raises(InvalidStatus) as refused, way():
                    pass
                self.told.others.append(repr((refused.value.response.headers, refused.value.response.body)))
        with Socket(self.url) as socket:
            socket.send({"type": "auth", "token": token})
            if status == 200:
                self.converse(socket)
                socket.send({"type": "auth", "token": token})
                self.converse(socket)
            else:
                self.told.others.append(repr(socket.closed))

    def converse(self, socket: Socket) -> None:
        assert socket.connection.response is not None
        self.told.others.append(repr(socket.connection.response.headers))
        socket.send(TANSTACK.body(PROMPT))
        came = socket.until("RUN_FINISHED")
        assert "RUN_ERROR" not in types(came)
        self.told.answers.append(repr(came))


def keys_of_their_own(stage: Stage) -> None:
    key = stage.show("a key", stage.keys.create("--name", "laptop", "--models", "fast"))
    stage.talk(200, key)
    again = stage.show("a rotated key", stage.keys.rotate(key, "--overlap", "1h"))
    stage.talk(200, key)
    stage.until(200, again)
    stage.talk(200, again)
    stage.talk(401, stage.show("a wrong key", key[:-1] + ("a" if key[-1] != "a" else "b")))


def a_revoked_key(stage: Stage) -> None:
    key = stage.show("a revoked key", stage.keys.create())
    stage.upstream.reply(Reply(text=(ANSWER, "b"), hold=True))
    with ask(stage.url, body=TANSTACK.body(PROMPT), headers=bearer(key)) as under_way:
        stage.upstream.received().step(1)
        under_way.until(ANSWER.encode())
        stage.keys.revoke(key)
        assert b"no longer valid" in stage.told.hear(under_way, of_a_run=True)
    stage.talk(401, key)


def an_expired_key(stage: Stage) -> None:
    key = stage.show("an expired key", stage.keys.create("--expires", "1s"))
    stage.until(401, key)
    stage.talk(401, key)


def tokens(stage: Stage) -> None:
    stage.talk(200, stage.show("a JWT", issued()))
    stage.talk(401, stage.show("a forged JWT", issued("another secret of thirty-two bytes!!")))
    stage.talk(401, stage.show("an expired JWT", issued(exp=1)))


def a_ticket(stage: Stage) -> None:
    key = stage.show("the key of a ticket", stage.keys.create())
    ticket = stage.show("a ticket", ask(stage.url, "/api/chat/ticket", headers=bearer(key)).json["ticket"])
    stage.show("a ticket that is not used", ask(stage.url, "/api/chat/ticket", headers=bearer(key)).json["ticket"])
    with Socket(stage.url, f"?ticket={ticket}") as socket:
        stage.converse(socket)
    with pytest.raises(InvalidStatus), Socket(stage.url, f"?ticket={ticket}"):
        pass


def a_key_for_one_run(stage: Stage) -> None:
    headers = {**bearer(stage.show("a key beside another", stage.keys.create())), "x-byok-openai": BYOK}
    stage.shown["a key for one run"] = BYOK
    stage.asked(200, headers, data={"model": "theirs"})
    assert stage.upstream.requests[-1].headers["authorization"] == f"Bearer {BYOK}"
    quoted = {"error": {"message": f"Incorrect API key provided: {BYOK}", "code": BYOK}}
    stage.upstream.reply(Reply(status=401, body=quoted))
    stage.asked(400, headers, data={"model": "theirs"})
    stage.upstream.reply(Reply(text=(ANSWER, "b"), error_after=1, error=quoted["error"]))
    stage.asked(200, headers, data={"model": "theirs"})
    stage.asked(422, {**headers, "x-byok-openai": f"{BYOK} {BYOK}"}, data={"model": "theirs"})
    del headers["x-byok-openai"]
    stage.asked(401, headers, data={"model": "theirs"})


def what_is_known_of_all_that(stage: Stage) -> None:
    key = stage.show("the key of who looks", stage.keys.create("--principal", "ann"))
    stage.asked(200, bearer(key))
    config = ("--config", str(stage.keys.config))
    for by in ("day", "principal", "model", "key"):
        for form in ("json", "csv", "table"):
            stage.told.hear(get(stage.url, f"/usage?by={by}&format={form}", bearer(key)))
            stage.keys.run("usage", *config, "--by", by, "--format", form)
    assert "ann" in stage.keys.said[-2] + stage.keys.run("usage", *config, "--by", "principal")
    for path in ("/models", "/openapi.json", "/healthz", "/usage?by=nothing", "/usage"):
        stage.told.hear(get(stage.url, path, bearer(key)))
    for shape in ((), ("--json",)):
        assert key.rpartition("_")[0] in stage.keys.run("keys", "list", *config, *shape)
        stage.keys.run("keys", "revoke", "tw_000000000000", *config, *shape, code=2)
        stage.keys.run("doctor", *config, *shape, code=None)
        header = ("--header", f"Authorization: Bearer {key}", "--header", f"Cookie: session={key}")
        stage.keys.run("doctor", stage.url, *header, *shape, code=None)
    stage.told.others.append(stage.server.metrics())


FLOWS = [
    keys_of_their_own,
    a_revoked_key,
    an_expired_key,
    tokens,
    a_ticket,
    a_key_for_one_run,
    what_is_known_of_all_that,
]


@pytest.mark.parametrize("store", ["sqlite", "redis"], indirect=True)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_it_is_nowhere_else(
    upstream: ThreadedUpstream, tmp_path: Path, store: tuple[str, Callable[[], bytes]], flow: Callable[[Stage], None]
) -> None:
    address, kept = store
    config = tmp_path / "tokenwire.toml"
    config.write_text(CONFIG.replace("{upstream}", upstream.base_url))
    upstream.default = GOOD
    with running(tmp_path, "configured", str(config), TOKENWIRE_STORE=address, **ENVIRONMENT) as server:
        stage = Stage(server, upstream, KeyCommand(config, address))
        flow(stage)
        in_the_store = kept()
        server.stop()
        in_the_store += kept()
    log = server.log.read_text()
    upstream_heard = json.dumps([[dict(request.headers), request.body] for request in upstream.requests])
    secrets = {
        **words(stage.shown),
        "the pepper": PEPPER,
        "the issuer's secret": SHARED,
        "the provider's key": PROVIDER_KEY,
        "the scraper's token": SCRAPER_TOKEN,
        "the store's password": STORE_PASSWORD,
    }
    ours = {what: word for what, word in secrets.items() if word not in (PROVIDER_KEY, BYOK)}
    everywhere = {
        "log": log,
        "spans": server.spans.read_text(),
        "answers": "\n".join(stage.told.answers),
        "other answers": "\n".join(stage.told.others),
        "terminal": "\n".join(stage.keys.said),
    }
    assert "headers" in log, "there is nothing to look through"
    assert stage.shown
    found = [leak for where, text in everywhere.items() for leak in leaks(where, text, secrets)]
    found += leaks("store", in_the_store, secrets)
    found += leaks("upstream", upstream_heard, ours)
    found += [
        leak
        for where in ("log", "spans", "other answers", "terminal")
        for leak in leaks(where, everywhere[where], CONTENT)
    ]
    found += leaks("store", in_the_store, UNSEEN)
    assert not found
