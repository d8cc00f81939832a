"""The page for every reader: by keyboard, by ear, in the dark, on a phone; and what it keeps from others."""

from __future__ import annotations

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from ..server import Server
from .browser import Browser, Page

ANSWER = ".assistant > .prose"
PHONE = {"viewport": {"width": 360, "height": 640}, "hasTouch": True, "isMobile": True, "deviceScaleFactor": 2}

RICH = """## A heading that is rather long for a small screen

Some `inline code` and a_very_long_identifier_without_any_place_to_break_it_in_two_parts_whatsoever.

```python
def function(parameter, another_parameter, yet_another_parameter, and_one_more): return None
```

| First | Second | Third | Fourth | Fifth |
| --- | --- | --- | --- | --- |
| some text | some text | some text | some text | some text |

1. One
   - nested
     - deeper
"""

WIDE = """
[models.a-model-with-quite-a-long-name]
provider = "openai-compatible"
base_url = "{upstream}"
model = "x"

[models.another]
provider = "openai-compatible"
base_url = "{upstream}"
model = "y"

[personas.somebody-with-a-long-name-too]
system = "You are terse."
"""


def test_everything_can_be_done_from_the_keyboard(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("One", " two", hold=True)
    page.goto(server.url)
    page.until("document.activeElement.id === 'input'")
    page.type("first line")
    page.press("Shift+Enter")
    page.type("second line")
    page.press("Enter")
    request = upstream.received()
    assert request.body["messages"] == [{"role": "user", "content": "first line\nsecond line"}]
    request.step(1)
    page.until_text(ANSWER, "One")
    assert page.focus() == "input"
    page.press("Tab")
    assert page.focus() == "stop"
    page.press("Enter")
    page.see("[data-status=stopped]")
    assert page.focus() == "input"

    page.do("focus", selector=".skip")
    stops: list[str] = []
    while not stops or stops[-1] != "Message":
        page.press("Tab")
        assert page.evaluate("document.activeElement.matches(':focus-visible')")
        stops.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText"))
    assert stops == [
        "New chat",
        "Switch to the dark theme",
        "Inspector",
        "Conversation",
        "Copy answer",
        "Answer again",
        "Message",
    ]


def test_a_double_click_on_send_does_not_stop(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Still", " here", hold=True)
    page.goto(server.url)
    page.fill("#input", "Hi")
    page.do("dblclick", selector="#send")
    upstream.received().release()
    page.answered("Still here")


def test_enter_that_ends_a_composition_sends_nothing(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.fill("#input", "かな")
    taken = """document.querySelector("#input").dispatchEvent(
        new KeyboardEvent("keydown", {key: "Enter", isComposing: %s, bubbles: true, cancelable: true}))"""
    assert page.evaluate(taken % "true"), "left to the input method"
    assert page.texts(".bubble") == []
    assert not page.evaluate(taken % "false")
    assert page.texts(".bubble") == ["かな"]


def test_the_skip_link_leads_to_the_message_box(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.do("focus", selector=".skip")
    page.press("Enter")
    assert page.focus() == "input"
    page.type("x")
    page.until("document.querySelector('#input').value === 'x'")


def test_a_screen_reader_hears_the_answer_once(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Hel", "lo", hold=True)
    upstream.reply(Reply(status=401))
    page.goto(server.url)
    page.evaluate(
        """window.heard = [];
        new MutationObserver(() => heard.push(announcer.textContent)).observe(announcer, {childList: true})"""
    )
    page.ask("Hi")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "Hel")
    assert page.do("getAttribute", "aria-busy", selector=".assistant") == "true"
    request.release()
    page.answered("Hello")
    assert page.do("getAttribute", "aria-busy", selector=".assistant") == "false"
    assert page.evaluate("heard.filter(Boolean)") == ["Waiting for the answer", "Answer: Hello"]
    page.ask("Again")
    page.see(".message:last-child [role=alert]")


def test_the_reader_may_scroll_away(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.reply(Reply(text=["line\n\n"] * 60, hold=True))
    page.goto(server.url)
    page.ask("Go")
    request = upstream.received()
    request.step(40)
    page.until("document.querySelectorAll('.prose p').length === 40")
    at_end = "scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 2"
    page.until(at_end)
    page.see("#jump", "hidden")
    page.do("hover", selector="#scroller")
    page.do("mouse.wheel", 0, -300)
    page.see("#jump")
    top = page.evaluate("scroller.scrollTop")
    request.release()
    page.see("[data-status=finished]")
    assert page.evaluate("scroller.scrollTop") == top
    page.click("#jump")
    page.until(at_end)
    page.see("#jump", "hidden")


def test_nothing_moves_while_an_answer_streams(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.reply(Reply(text=[RICH[at : at + 7] for at in range(0, len(RICH), 7)], interval=0.005))
    page.goto(server.url)
    page.ask("Go")
    page.see(".message.assistant", "attached")
    page.evaluate(
        """window.moved = [];
        new PerformanceObserver((list) => {
            for (const {node} of list.getEntries().flatMap(({sources}) => sources)) {
                // below the answer there is nothing to read while it grows; columns fit their widest cell
                const expected = (node instanceof Text ? node.parentElement : node)?.closest(".foot, table");
                if (node && !expected) moved.push(node.outerHTML ?? node.data);
            }
        }).observe({type: "layout-shift"})"""
    )
    page.see("[data-status=finished]")
    assert page.evaluate("moved") == []


@pytest.mark.parametrize("state", ["empty", "answer", "error"])
def test_a_narrow_phone_shows_everything(
    browser: Browser, upstream: ThreadedUpstream, serve: Serve, state: str
) -> None:
    page = browser.open(**PHONE)
    page.goto(serve(WIDE).url)
    page.see("#persona")
    if state == "answer":
        upstream.reply(Reply(text=(RICH,), reasoning=("Hm.",)))
        page.fill("#input", "A question that is long enough for two lines on a phone")
        page.click("#send")
        page.see("[data-status=finished]")
    if state == "error":
        upstream.reply(Reply(status=401))
        page.fill("#input", "unbreakable" * 20)
        page.click("#send")
        page.see(".problem .retry")
    outside = page.evaluate(
        """[...document.querySelectorAll("body *")]
            .filter((element) => !element.closest("pre, .table, .visually-hidden, .skip, .sprite, dialog"))
            .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
            .map((element) => element.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert page.evaluate("scroller.scrollWidth - scroller.clientWidth") == 0
    assert page.evaluate("innerWidth") == 360
    page.screenshot(f"phone-{state}")
    page.close()


def test_on_a_phone_enter_is_a_new_line(browser: Browser, upstream: ThreadedUpstream, server: Server) -> None:
    page = browser.open(**PHONE)
    page.goto(server.url)
    page.do("tap", selector="#input")
    page.type("one")
    page.press("Enter")
    page.type("two")
    page.do("tap", selector="#send")
    assert upstream.received().body["messages"] == [{"role": "user", "content": "one\ntwo"}]
    page.close()


def test_dark_is_followed_and_can_be_overruled(browser: Browser, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.reply(Reply(text=(RICH,)))
    page = browser.open(colorScheme="dark")
    page.goto(server.url)
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(part => part > 200)"
    assert not page.evaluate(brightness)
    page.ask("Show me")
    page.see("[data-status=finished]")
    page.screenshot("desktop-dark")
    page.click("#theme")
    assert page.evaluate(brightness)
    page.do("reload")
    assert page.evaluate(brightness)
    page.click("#theme")
    assert not page.evaluate(brightness)
    page.do("emulateMedia", {"colorScheme": "light"})
    assert page.evaluate(brightness), "back on the system's side, the page follows the system again"
    page.close()


def test_nothing_leaves_this_host_and_the_policy_holds(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say(RICH, "![picture](https://elsewhere.example/p.png) <https://elsewhere.example>")
    page.goto(server.url)
    page.click("#inspector-toggle")
    page.ask("Show me")
    page.see("[data-status=finished]")
    page.click("#theme")
    page.do("reload")
    page.see("[data-status=finished]")
    assert page.complaints() == []
    assert {request["url"].removeprefix(server.url)[:1] for request in page.requests()} == {"/"}
    policy = page.evaluate("fetch('.').then(response => response.headers.get('content-security-policy'))")
    assert "script-src 'self'" in policy
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    page.until("getComputedStyle(document.body.lastElementChild).color !== 'rgb(255, 0, 0)'")
    assert any("Content Security Policy" in complaint for complaint in page.complaints())
