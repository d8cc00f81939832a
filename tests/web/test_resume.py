"""Answers that outlive a reload, a lost connection and a server that was away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tokenwire.testing import ThreadedUpstream

from ..server import Server
from .browser import Page
from .relay import Relay

ANSWER = ".assistant > .prose"
WORDS = tuple(f"word{n} " for n in range(20))
TEXT = "".join(WORDS).strip()


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    with Relay(server.url) as relay:
        yield relay


def attempts(page: Page) -> list[tuple[str, bool]]:
    """The chat requests so far: method, and whether it resumed from an offset."""
    return [
        (request["method"], "last-event-id" in request["headers"])
        for request in page.requests()
        if request["url"].partition("?")[0].endswith("/api/chat")
    ]


def test_a_reload_in_mid_answer_rejoins_the_run(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(server.url)
    page.ask("Count")
    request = upstream.received()
    request.step(8)
    page.until_text(ANSWER, " ".join(TEXT.split()[:8]))
    page.do("reload")
    page.until_text(ANSWER, " ".join(TEXT.split()[:8]))
    page.see("#stop")
    request.release()
    page.answered(TEXT)
    assert attempts(page) == [("POST", False), ("GET", False)]
    assert len(upstream.requests) == 1
    page.do("reload")
    page.answered(TEXT)
    assert len(attempts(page)) == 2


def test_a_run_that_ended_while_the_page_was_away_is_told_whole(
    page: Page, upstream: ThreadedUpstream, server: Server
) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(server.url)
    page.ask("Count")
    request = upstream.received()
    request.step(3)
    page.until_text(ANSWER, " ".join(TEXT.split()[:3]))
    page.goto("about:blank")
    request.release()
    request.wait_finished()
    page.goto(server.url)
    page.answered(TEXT)


def test_stop_after_a_reload_reaches_the_model(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(server.url)
    page.ask("Count")
    request = upstream.received()
    request.step(2)
    page.until_text(ANSWER, "word0 word1")
    page.do("reload")
    page.click("#stop")
    request.wait_closed()
    page.see("[data-status=stopped]")
    assert page.texts(ANSWER) == ["word0 word1"]
    page.do("reload")
    page.see("[data-status=stopped]")


def test_an_answer_that_is_gone_keeps_its_text(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say(*WORDS, hold=True)
    upstream.say("Once more")
    page.goto(server.url)
    page.ask("Count")
    upstream.received().step(2)
    page.until_text(ANSWER, "word0 word1")
    # what a server that was started anew says of a run it never had
    page.evaluate(
        """addEventListener("pagehide", () => {
            for (const [key, value] of Object.entries(sessionStorage)) {
                sessionStorage[key] = value.replace(/"id":"run-[^"]*"/, '"id":"run-unknown"');
            }
        })"""
    )
    page.do("reload")
    page.until_text(".problem p", "The server no longer has this answer.")
    assert page.texts(ANSWER) == ["word0 word1"]
    page.click(".problem .retry")
    page.answered("Once more")


def test_a_join_that_fails_at_first_doubles_nothing(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(server.url)
    page.ask("Count")
    request = upstream.received()
    request.step(2)
    page.until_text(ANSWER, "word0 word1")
    page.do("clock.install")
    page.do(
        "addInitScript",
        """const network = fetch;
        const lost = (url) => !window.online && String(url).startsWith("api/chat?");
        window.fetch = (url, options) => (lost(url) ? Promise.reject("offline") : network(url, options));""",
    )
    page.do("reload")
    for attempt in range(1, 10):
        page.until(f"document.querySelectorAll('#events .note').length >= {attempt}")
        page.do("clock.fastForward", 10_000)
    page.until_text(".problem p", "The connection was lost.")
    assert page.texts(ANSWER) == ["word0 word1"]
    page.evaluate("window.online = true")
    request.release()
    page.click(".problem .retry")
    page.answered(TEXT)


def test_a_lost_connection_loses_and_doubles_nothing(page: Page, upstream: ThreadedUpstream, relay: Relay) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(relay.url)
    page.ask("Count")
    request = upstream.received()
    for said in (5, 10, 15):
        request.step(5)
        page.until_text(ANSWER, " ".join(TEXT.split()[:said]))
        relay.cut()
        page.until(f"document.querySelectorAll('#events .note').length === {said // 5 * 2}")
    request.release()
    page.answered(TEXT)
    assert attempts(page) == [("POST", False), ("POST", True), ("POST", True), ("POST", True)]
    assert len(upstream.requests) == 1
    assert page.texts(".connection") == [""]


def test_a_server_that_is_away_is_waited_for(page: Page, upstream: ThreadedUpstream, relay: Relay) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(relay.url)
    page.ask("Count")
    request = upstream.received()
    request.step(5)
    page.until_text(ANSWER, " ".join(TEXT.split()[:5]))
    relay.go_down()
    page.until_text(".connection", "Reconnecting…")
    page.screenshot("reconnecting")
    request.release()
    request.wait_finished()
    relay.come_up()
    page.answered(TEXT)


def test_a_server_that_stays_away_is_an_error_and_retry_rejoins(
    page: Page, upstream: ThreadedUpstream, relay: Relay
) -> None:
    upstream.say(*WORDS, hold=True)
    page.do("clock.install")
    page.goto(relay.url)
    page.ask("Count")
    request = upstream.received()
    request.step(5)
    page.until_text(ANSWER, " ".join(TEXT.split()[:5]))
    relay.go_down()
    for attempt in range(1, 9):
        page.until(f"document.querySelectorAll('#events .note').length >= {attempt}")
        page.do("clock.fastForward", 10_000)
    page.until_text(".problem p", "The connection was lost.")
    relay.come_up()
    request.release()
    page.click(".problem .retry")
    page.answered(TEXT)
    assert len(upstream.requests) == 1


def test_a_silent_connection_is_given_up(page: Page, upstream: ThreadedUpstream, relay: Relay) -> None:
    upstream.say(*WORDS, hold=True)
    page.do("clock.install")
    page.goto(relay.url)
    page.ask("Count")
    request = upstream.received()
    request.step(5)
    page.until_text(ANSWER, " ".join(TEXT.split()[:5]))
    page.do("clock.fastForward", 46_000)
    page.until("document.querySelectorAll('#events .note').length === 2")
    request.release()
    page.answered(TEXT)
    assert attempts(page) == [("POST", False), ("POST", True)]


def test_a_server_that_was_never_there_can_be_tried_again(page: Page, upstream: ThreadedUpstream, relay: Relay) -> None:
    upstream.say("Here I am")
    page.goto(relay.url)
    relay.go_down()
    page.ask("Anybody?")
    page.until_text(".problem p", "The server cannot be reached.")
    relay.come_up()
    page.click(".problem .retry")
    page.answered("Here I am")
    assert len({request["headers"]["x-run-id"] for request in page.requests() if request["method"] == "POST"}) == 1


def test_a_second_tab_reads_the_same_run(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say(*WORDS, hold=True)
    page.goto(server.url)
    page.ask("Count")
    request = upstream.received()
    request.step(4)
    tab = page.new_tab()
    tab.goto(server.url)
    tab.until_text(ANSWER, "word0 word1 word2 word3")
    request.release()
    page.answered(TEXT)
    tab.answered(TEXT)
    assert len(upstream.requests) == 1
