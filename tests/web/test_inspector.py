"""The developer's side of the page."""

from __future__ import annotations

import json

from tokenwire.testing import ThreadedUpstream

from ..server import Server
from .browser import Browser, Page


def test_the_events_of_a_run_are_shown_as_they_come(page: Page, upstream: ThreadedUpstream, server: Server) -> None:
    upstream.say("Hel", "lo", hold=True)
    page.goto(server.url)
    page.click("#inspector-toggle")
    page.ask("Hi")
    request = upstream.received()
    request.step(1)
    page.until_text(".event .preview", '"Hel"')
    assert page.texts(".event .type") == ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"]
    assert page.texts("#tokens") == ["≈ 1"]
    request.release()
    page.answered("Hello")
    page.until_text(".event .type", "RUN_FINISHED")
    assert page.texts(".event .seq") == ["1", "2", "3", "4", "5", "6"]
    assert page.texts("#event-count") == ["6"]
    assert all(since.startswith("+") and since.endswith(" ms") for since in page.texts(".event .since"))

    page.click(".event:nth-child(3) summary")
    page.see(".event:nth-child(3) pre")
    opened = page.texts(".event:nth-child(3) pre")[0]
    assert json.loads(opened)["delta"] == "Hel"
    assert page.texts(".event:nth-child(3) .offset")[0].endswith(":3")

    page.click("#copy-events")
    page.until("document.querySelector('#copy-events').matches('.copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert [json.loads(line)["type"] for line in copied.splitlines()] == page.texts(".event .type")


def test_the_pace_counts_what_the_model_counted(modules: Page) -> None:
    figures = modules.call(
        """async () => {
            const {Metrics} = await import(new URL("web/metrics.js", document.baseURI));
            const said = {type: "TEXT_MESSAGE_CONTENT", delta: "x"};
            const figures = ({firstToken, tokens, counted, tokensPerSecond}) =>
                [firstToken, tokens, counted, tokensPerSecond];
            const metrics = new Metrics({sent: 1000});
            const seen = [figures(metrics)];
            for (const [event, now] of [[{type: "RUN_STARTED"}, 1100], [said, 1400], [said, 1900], [said, 2400]]) {
                metrics.record(event, now);
                seen.push(figures(metrics));
            }
            metrics.record({type: "RUN_FINISHED", usage: {completionTokens: 11}}, 9000);
            const replayed = new Metrics({sent: 1000, firstToken: 400}, {replayed: true});
            replayed.record(said, 9000);
            replayed.record(said, 9001);
            return [...seen, figures(metrics), figures(replayed)];
        }"""
    )
    assert figures == [
        [None, 0, False, None],
        [None, 0, False, None],
        [400, 1, False, None],
        [400, 2, False, 2],
        [400, 3, False, 2],
        [400, 11, True, 10],
        [400, 2, False, None],
    ]


def test_the_lines_to_connect_name_this_server(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.click("#inspector-toggle")
    lines = page.texts("#connect-lines code")
    assert lines == [
        f"curl -N {server.url}/api/chat -d " + """'{"messages":[{"role":"user","content":"Hello"}]}'""",
        f"useChat({{connection: fetchServerSentEvents('{server.url}/api/chat')}})",
        f"useAIChat({{endpoint: '{server.url}/api/chat'}})",
    ]
    for row, line in enumerate(lines, 1):
        page.click(f"#connect-lines dd:nth-of-type({row}) .copy")
        page.until(f"navigator.clipboard.readText().then(text => text === {json.dumps(line)})")


def test_the_panel_stays_as_it_was_left(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.see("#inspector", "hidden")
    page.click("#inspector-toggle")
    page.see("#inspector")
    page.do("reload")
    page.see("#inspector")
    page.click("#inspector-close")
    page.see("#inspector", "hidden")
    assert page.focus() == "inspector-toggle"
    page.do("reload")
    page.see("#input")
    page.see("#inspector", "hidden")


def test_on_a_phone_it_is_a_drawer(browser: Browser, server: Server) -> None:
    page = browser.open(viewport={"width": 360, "height": 740}, hasTouch=True, isMobile=True)
    page.goto(server.url)
    page.click("#inspector-toggle")
    page.see("#inspector:modal")
    page.do("touchscreen.tap", 10, 300)
    page.see("#inspector", "hidden")
    page.click("#inspector-toggle")
    page.press("Escape")
    page.see("#inspector", "hidden")
    page.close()
