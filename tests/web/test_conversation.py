"""Talking to a model on the page."""

from __future__ import annotations

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from ..server import Server
from .browser import Page
from .relay import Relay

ANSWER = ".assistant > .prose"

CHOICES = """
model = "small"

[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "small-1"

[models.large]
provider = "openai-compatible"
base_url = "{upstream}"
model = "large-9"
description = "slower, wiser"

[personas.pirate]
system = "You are a pirate."
greeting = "Ahoy! What be on yer mind?"
"""


def test_two_turns_stream_and_are_rendered(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("The **first", " answer**:\n\n```python\n", "print(1)\n", "```\n\n- one\n- two", hold=True)
    upstream.say("Fine.")
    page.goto(server.url)
    page.ask("Show me")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "The first")
    assert page.texts(f"{ANSWER} strong") == ["first"]
    request.step(2)
    page.until_text(f"{ANSWER} pre code", "print(1)")
    request.release()
    page.see("[data-status=finished]")
    assert page.texts(f"{ANSWER} li") == ["one", "two"]
    assert page.texts(f"{ANSWER} .code-call") == ["print"]
    page.click(".code .copy")
    page.until("navigator.clipboard.readText().then(text => text === 'print(1)')")
    page.screenshot("desktop-light")

    page.ask("Thanks")
    page.answered("Fine.")
    assert upstream.requests[1].body["messages"] == [
        {"role": "user", "content": "Show me"},
        {"role": "assistant", "content": "The **first answer**:\n\n```python\nprint(1)\n```\n\n- one\n- two"},
        {"role": "user", "content": "Thanks"},
    ]
    assert page.texts(".user .bubble") == ["Show me", "Thanks"]


@pytest.mark.parametrize("stop", ["button", "Escape"])
def test_stop_keeps_what_was_said(page: Page, upstream: ThreadedUpstream, server: Server, stop: str) -> None:
    upstream.say("Once upon", " a time", hold=True)
    upstream.say("Hello again")
    page.goto(server.url)
    page.ask("Tell me a story")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "Once upon")
    if stop == "button":
        page.click("#stop")
    else:
        page.press("Escape")
    page.see("[data-status=stopped]")
    request.wait_closed()
    assert page.texts(ANSWER) == ["Once upon"]
    assert page.texts(".about") == ["Stopped · 1 token"]

    page.ask("Hello?")
    page.answered("Hello again")
    assert [row["content"] for row in upstream.requests[1].body["messages"]] == [
        "Tell me a story",
        "Once upon",
        "Hello?",
    ]


def test_a_refusal_is_shown_and_retried(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.reply(Reply(status=401))
    upstream.say("Now I can.")
    page.goto(server.url)
    page.ask("Are you there?")
    page.until_text(".problem p", "The server's access to the model was refused.")
    page.click(".problem .retry")
    assert page.focus() == "input"
    page.answered("Now I can.")
    assert page.texts(".message .problem") == [""]
    assert upstream.requests[1].body["messages"] == [{"role": "user", "content": "Are you there?"}]


def test_an_answer_that_never_came_is_not_part_of_the_conversation(
    page: Page, upstream: ThreadedUpstream, server: Server
) -> None:
    upstream.reply(Reply(status=401))
    upstream.say("Yes")
    page.goto(server.url)
    page.ask("Are you there?")
    page.see(".problem .retry")
    page.ask("And now?")
    page.answered("Yes")
    asked = [request["body"]["messages"] for request in page.requests() if request["url"].endswith("/api/chat")]
    assert [(row["role"], row["content"]) for row in asked[1]] == [("user", "Are you there?"), ("user", "And now?")]
    page.see(".problem .retry", "hidden")


def test_an_answer_that_breaks_off_keeps_its_text_and_is_retried(
    page: Page, upstream: ThreadedUpstream, server: Server
) -> None:
    upstream.reply(Reply(text=("Half an", " answer"), error_after=1))
    upstream.say("A whole answer")
    page.goto(server.url)
    page.ask("Go on")
    page.see(".problem .retry")
    assert page.texts(ANSWER) == ["Half an"]
    page.click(".problem .retry")
    page.answered("A whole answer")
    assert page.texts(ANSWER) == ["A whole answer"]
    assert upstream.requests[1].body["messages"] == [{"role": "user", "content": "Go on"}]


def test_an_answer_cut_at_the_limit_says_so(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.reply(Reply(text=("As I was",), finish_reason="length"))
    page.goto(server.url)
    page.ask("Go on")
    page.answered("As I was")
    assert page.texts(".about")[0].startswith("Cut off at the length limit.")


def test_another_answer_replaces_the_last(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Heads")
    upstream.say("Tails")
    page.goto(server.url)
    page.ask("Toss a coin")
    page.answered("Heads")
    page.click(".again")
    page.answered("Tails")
    assert page.texts(ANSWER) == ["Tails"]
    assert upstream.requests[1].body["messages"] == [{"role": "user", "content": "Toss a coin"}]


def test_reasoning_is_shown_on_demand(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.reply(Reply(reasoning=("They want", " a number."), text=("Seven.",), hold=True))
    page.goto(server.url)
    page.ask("Pick one")
    request = upstream.received()
    request.step(1)
    page.until_text(".reasoning summary", "Thinking…")
    request.release()
    page.see("[data-status=finished]")
    assert page.texts(".reasoning summary") == ["Thoughts"]
    page.click(".reasoning summary")
    page.until_text(".reasoning .prose", "They want a number.")
    assert page.texts(".assistant > .prose") == ["Seven."]


def test_model_and_persona_reach_the_model(page: Page, upstream: ThreadedUpstream, serve: Serve) -> None:
    page.goto(serve(CHOICES).url)
    page.see("#persona")
    assert page.texts("#model option") == ["Default (small)", "small", "large"]
    page.ask("Hi")
    page.see("[data-status=finished]")
    page.do("selectOption", "large", selector="#model")
    page.do("selectOption", "pirate", selector="#persona")
    page.ask("Hi again")
    page.see(".message:nth-child(4)[data-status=finished]")
    first, second = (request.body for request in upstream.requests)
    assert first["model"] == "small-1"
    assert first["messages"] == [{"role": "user", "content": "Hi"}]
    assert second["model"] == "large-9"
    assert second["messages"][0] == {"role": "system", "content": "You are a pirate."}

    page.click("#new-chat")
    page.until_text("#greeting", "Ahoy! What be on yer mind?")
    page.do("reload")
    page.until("document.querySelector('#model').value === 'large'")
    page.until_text("#greeting", "Ahoy! What be on yer mind?")


def test_what_offers_no_choice_is_not_shown(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.until("document.querySelector('#model').options.length === 2")
    page.see("#model", "hidden")
    page.see("#persona", "hidden")


def test_a_new_chat_stops_the_run_and_forgets(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Never", " heard", hold=True)
    upstream.say("Hello")
    page.goto(server.url)
    page.ask("Old question")
    request = upstream.received()
    request.step(1)
    page.until_text(ANSWER, "Never")
    page.click("#new-chat")
    page.see("#welcome")
    request.wait_closed()
    assert page.texts(".message") == []
    assert page.texts("#announcer") == ["New chat"]
    page.click("#starters button:first-child")
    assert page.focus() == "input"
    page.answered("Hello")
    assert len(upstream.requests[1].body["messages"]) == 1
    threads = [asked["body"]["threadId"] for asked in page.requests() if asked["url"].endswith("/api/chat")]
    assert len(set(threads)) == 2


def test_a_conversation_outlives_its_tab(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Noted.")
    page.goto(server.url)
    page.ask("Remember this")
    page.answered("Noted.")
    page.do("reload")
    page.until_text(ANSWER, "Noted.")
    tab = page.new_tab()
    tab.goto(server.url)
    tab.until_text(ANSWER, "Noted.")
    tab.click("#new-chat")
    page.do("reload")
    page.until_text(ANSWER, "Noted.")
    later = page.new_tab()
    later.goto(server.url)
    later.see("#welcome")


def test_the_page_works_under_a_path_of_its_own(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Hello")
    with Relay(server.url, prefix="/some/where") as proxy:
        page.goto(f"{proxy.url}/")
        page.click("#inspector-toggle")
        assert f"endpoint: '{proxy.url}/api/chat'" in page.texts("#connect-lines code")[2]
        page.ask("Hi")
        page.answered("Hello")
        assert page.complaints() == []


def test_a_browser_that_stores_nothing_still_chats(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Hello")
    page.do("addInitScript", "for (const name of ['getItem', 'setItem']) delete Storage.prototype[name];")
    page.goto(server.url)
    page.ask("Hi")
    page.answered("Hello")


def test_code_can_be_copied_on_plain_http(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("```\nx = 1\n```")
    page.do("addInitScript", "Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(server.url)
    page.ask("Hi")
    page.see("[data-status=finished]")
    page.click(".code .copy")
    page.see(".code .copied")
    page.do("focus", selector="#input")
    page.press("Control+v")
    assert page.evaluate("document.querySelector('#input').value") == "x = 1"


def test_model_text_is_never_markup(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    hostile = (
        "<img src=x onerror=alert(1)> <script>alert(1)</script> [x](javascript:alert(1)) ![i](https://a.example/b.png)"
    )
    upstream.say(hostile)
    page.goto(server.url)
    page.ask("<b>hi</b>")
    page.answered("<img src=x onerror=alert(1)> <script>alert(1)</script> x i")
    assert page.evaluate("document.querySelectorAll('#messages :is(img, script, b)').length") == 0
    assert page.evaluate("[...document.querySelectorAll('#messages a')].map(a => a.href)") == [
        "https://a.example/b.png"
    ]
    assert page.texts(".bubble") == ["<b>hi</b>"]
