"""A server that wants to know who asks: the page asks for a key, sends it, and forgets it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tokenwire.testing import ThreadedUpstream

from ..cli.command import tokenwire
from ..conftest import Serve
from .browser import Page

ANSWER = ".assistant > .prose"
WANTED = "This server asks for a key."
REFUSED = "The server does not take this key: it is wrong, has expired or was revoked."
CONFIG = """
store = "{store}"

[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "small-1"
description = "A small one"

[models.large]
provider = "openai-compatible"
base_url = "{upstream}"
model = "large-9"

[auth]
keys = true
"""


class Guarded(NamedTuple):
    """A server that answers whoever has a key, and the store where its keys are."""

    url: str
    store: str

    def create(self, *arguments: str) -> str:
        made = tokenwire("keys", "create", "--store", self.store, *arguments)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def revoke(self, key: str) -> None:
        assert tokenwire("keys", "revoke", key.rpartition("_")[0], "--store", self.store).returncode == 0


@pytest.fixture
def guarded(serve: Serve, tmp_path: Path) -> Guarded:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    return Guarded(serve(CONFIG.replace("{store}", store)).url, store)


def use(page: Page, key: str) -> None:
    page.fill("#key", key)
    page.press("Enter")


def sent(page: Page) -> list[tuple[str, str, str | None]]:
    """What was asked of the server itself: method, path, and in whose name."""
    return [
        (request["method"], request["url"].partition("?")[0].split("/", 3)[3], request["headers"].get("authorization"))
        for request in page.requests()
        if "/web/" not in request["url"] and not request["url"].endswith("/")
    ]


def test_without_a_key_the_page_asks_for_one_and_for_nothing_else(page: Page, guarded: Guarded) -> None:
    page.goto(guarded.url)
    page.until_text("#key-note", WANTED)
    page.until("document.activeElement.id === 'key'")
    for hidden in ("#composer", "#starters", "#forget-key"):
        page.see(hidden, "hidden")
    page.screenshot("key")
    assert sent(page) == [("GET", "models", None)]
    for impossible in ("", "schlüssel", "a b"):
        use(page, impossible)
    assert len(sent(page)) == 1
    use(page, "tw_000000000000_" + "x" * 43)
    page.until_text("#key-note", REFUSED)
    page.see("#composer", "hidden")
    assert [complaint for complaint in page.complaints() if "401" not in complaint] == []


def test_a_key_goes_with_every_request_and_outlives_a_reload_but_not_the_tab(
    page: Page, upstream: ThreadedUpstream, guarded: Guarded
) -> None:
    key = guarded.create()
    upstream.say("Hel", "lo", hold=True)
    page.goto(guarded.url)
    use(page, key)
    page.until_text("#description", "A small one")
    page.until("document.activeElement.id === 'input'")
    page.see("#key-form", "hidden")
    page.ask("Hi")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "Hel")
    page.do("reload")
    page.until_text(ANSWER, "Hel")
    page.see("#key-form", "hidden")
    page.click("#stop")
    request.wait_closed()
    page.see("[data-status=stopped]")
    in_name = f"Bearer {key}"
    chat = [one for one in sent(page) if one[1] != "models"]
    assert [(method, path.split("/")[-1]) for method, path, _ in chat] == [
        ("POST", "chat"),
        ("GET", "chat"),
        ("POST", "cancel"),
    ]
    assert {name for _, _, name in sent(page)} == {None, in_name}
    assert {name for _, _, name in chat} == {in_name}
    assert not any(key in request["url"] for request in page.requests())
    kept = "(storage) => JSON.stringify({...globalThis[storage]})"
    assert key in page.call(kept, "sessionStorage")
    assert key not in page.call(kept, "localStorage")
    assert page.evaluate("document.cookie") == ""
    assert key not in page.evaluate("document.documentElement.outerHTML")
    tab = page.new_tab()
    tab.goto(guarded.url)
    tab.until_text("#key-note", WANTED)


def test_a_key_is_forgotten_with_what_it_was_offered(page: Page, upstream: ThreadedUpstream, guarded: Guarded) -> None:
    key = guarded.create("--models", "small")
    upstream.say("Hel", "lo", hold=True)
    page.goto(guarded.url)
    use(page, key)
    page.until_text("#description", "A small one")
    page.see("#model", "hidden")
    page.ask("Hi")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "Hel")
    page.click("#forget-key")
    request.wait_closed()
    page.until_text("#key-note", WANTED)
    page.see("#forget-key", "hidden")
    assert key not in page.evaluate("JSON.stringify({...sessionStorage})")
    assert page.evaluate("document.querySelector('#description').textContent") == ""
    use(page, guarded.create())
    page.see("#model")


def test_a_key_that_is_revoked_in_mid_answer(page: Page, upstream: ThreadedUpstream, guarded: Guarded) -> None:
    key = guarded.create("--principal", "ann")
    upstream.say("Hel", "lo", hold=True)
    upstream.say("Once more")
    page.goto(guarded.url)
    use(page, key)
    page.ask("Hi")
    upstream.received().step(1)
    page.until_text(ANSWER, "Hel")
    guarded.revoke(key)
    page.until_text(".problem p", "This key is no longer valid.")
    page.until_text("#key-note", REFUSED)
    page.screenshot("key-revoked")
    assert page.texts(ANSWER) == ["Hel"]
    use(page, guarded.create("--principal", "ann"))
    page.see("#composer")
    page.click(".problem .retry")
    page.answered("Once more")


def test_a_run_is_joined_again_when_there_is_a_key_again(
    page: Page, upstream: ThreadedUpstream, guarded: Guarded
) -> None:
    key = guarded.create()
    upstream.say("Hel", "lo", hold=True)
    page.goto(guarded.url)
    use(page, key)
    page.ask("Hi")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "Hel")
    tab = page.new_tab()
    tab.goto(guarded.url)
    tab.until_text("#key-note", WANTED)
    use(tab, key)
    tab.see("#composer")
    tab.click(".problem .retry")
    tab.until_text(ANSWER, "Hel")
    request.release()
    tab.answered("Hello")
    page.answered("Hello")
    assert len(upstream.requests) == 1


def test_a_server_that_is_away_refuses_no_key(modules: Page) -> None:
    said = modules.call(
        """async (statuses) => {
            const {access} = await import(new URL("web/access.js", document.baseURI));
            const network = globalThis.fetch;
            const states = [];
            try {
                access.use("k");
                for (const [status, headers] of statuses) {
                    globalThis.fetch = async () => new Response("", {status, headers});
                    await access.fetch("models");
                    states.push(access.state);
                }
            } finally {
                globalThis.fetch = network;
                access.use("");
            }
            return states;
        }""",
        [[503, {}], [200, {}], [503, {}], [401, {}], [401, {"www-authenticate": "Bearer"}], [404, {}]],
    )
    assert said == ["unknown", "granted", "granted", "granted", "refused", "refused"]


def test_what_is_said_of_a_key_says_nothing_of_the_next(modules: Page) -> None:
    said = modules.call(
        """async () => {
            const {access} = await import(new URL("web/access.js", document.baseURI));
            const network = globalThis.fetch;
            try {
                access.use("old");
                let answer;
                globalThis.fetch = () => new Promise((resolve) => { answer = resolve; });
                const asked = access.fetch("models");
                access.use("new");
                answer(new Response("", {status: 401, headers: {"www-authenticate": "Bearer"}}));
                await asked;
                return access.state;
            } finally {
                globalThis.fetch = network;
                access.use("");
            }
        }"""
    )
    assert said == "unknown"
