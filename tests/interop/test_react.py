"""The real `useChat` of both generations in a real browser, on a page of another origin than the server's."""

import pytest

from tokenwire.testing import Reply

from .browser import Page, Seen
from .model import Model

HEADERS = {"Authorization": "Bearer token-1", "X-Tenant-Id": "acme"}


def test_a_chat_with_headers_and_credentials(page: Page, model: Model) -> None:
    model.reply(Reply(reasoning=("hm",), text=("Hel", "lo")), Reply(text=("Bye",)))
    seen = page.visit(
        ["send", "Hello"],
        ["untilText", "Hello"],
        ["untilStatus", "ready"],
        ["send", "Bye"],
        ["untilText", "Bye"],
        ["untilStatus", "ready"],
        options={"headers": HEADERS, "credentials": "include"},
    )
    assert [(message["role"], message["text"]) for message in seen.messages] == [
        ("user", "Hello"),
        ("assistant", "Hello"),
        ("user", "Bye"),
        ("assistant", "Bye"),
    ]
    assert seen.messages[1]["thinking"] == "hm"
    assert seen.error is None
    assert seen.crashes == []
    assert [asked.body["messages"] for asked in model.requests][-1] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    assert "OPTIONS" in seen.methods
    for request in seen.requests:
        assert request["responseHeaders"]["access-control-allow-origin"] == page.origin
        assert request["responseHeaders"]["access-control-allow-credentials"] == "true"
        assert "origin" in request["responseHeaders"]["vary"].lower()


def test_a_refusal_is_read_across_origins(page: Page, model: Model) -> None:
    model.reply(Reply(status=429))
    seen = page.visit(["send", "Hello"], ["untilAlert"])
    assert (seen.status, seen.error) == ("error", "HTTP error! status: 429 Too Many Requests")
    assert seen.crashes == []


def test_an_error_in_mid_answer_leaves_the_text_and_the_next_turn_works(page: Page, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo", "!"), error_after=2), Reply(text=("Hi",)))
    seen = page.visit(
        ["send", "Hello"], ["untilAlert"], ["send", "Again"], ["untilText", "Hi"], ["untilStatus", "ready"]
    )
    assert [message["text"] for message in seen.messages] == ["Hello", "Hello", "Again", "Hi"]
    assert seen.error is None


def test_the_stop_button_keeps_the_text_and_frees_the_model(page: Page, model: Model) -> None:
    model.reply(Reply(text=("Hel", "lo"), hold=True))
    visit = page.begin(["send", "Hello"], ["untilText", "Hel"], ["stop"], ["untilStatus", "ready"])
    asked = model.received()
    asked.step()
    seen = visit.result()
    assert (seen.messages[-1]["text"], seen.error) == ("Hel", None)
    asked.wait_closed()


def test_a_broken_connection_is_healed_across_origins(resuming_page: Page, model: Model) -> None:
    model.reply(Reply(reasoning=("h", "m"), text=("Hel", "lo"), interval=0.01))
    seen = resuming_page.visit(
        ["send", "Hello"],
        ["untilText", "Hello"],
        ["untilStatus", "ready"],
        cuts=[{"after": 3, "how": "error"}, {"after": 2, "how": "error"}],
    )
    assert (seen.messages[-1]["thinking"], seen.messages[-1]["text"]) == ("hm", "Hello")
    assert [method for method in seen.methods if method == "POST"] == ["POST"] * 3
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("reasoning", "shown"),
    [
        pytest.param((), "Hel", id="text"),
        pytest.param(("hm", "!"), "hm", id="reasoning"),
        pytest.param(("hm",), "Hel", id="text after reasoning"),
    ],
)
def test_a_page_reloaded_in_mid_answer_finds_its_run(
    resuming_page: Page, model: Model, reasoning: tuple[str, ...], shown: str
) -> None:
    deltas = (*reasoning, "Hel", "lo")
    model.reply(Reply(reasoning=reasoning, text=deltas[-2:], hold=True))
    visit = resuming_page.begin(
        ["send", "Hello"],
        ["untilText", shown],
        ["reload"],
        ["untilAnswered", "GET"],
        ["tell", "rejoined"],
        ["untilText", "Hello"],
        ["untilStatus", "ready"],
        chat={"threadId": "thread-1"},
        options={"headers": HEADERS},
    )
    asked = model.received()
    asked.step(deltas.index(shown) + 1)
    visit.wait("rejoined")
    asked.release()
    seen = visit.result()
    assert [(message["role"], message["text"]) for message in seen.messages] == [
        ("user", "Hello"),
        ("assistant", "Hello"),
    ]
    assert seen.messages[-1]["thinking"] == "".join(reasoning)
    assert "resume" not in "".join(seen.storage.values())
    assert len(model.requests) == 1


def test_a_page_of_an_origin_that_is_not_allowed_gets_nothing(page: Page, model: Model) -> None:
    seen: Seen = page.visit(["send", "Hello"], ["untilAlert"], host="localhost")
    assert seen.status == "error"
    assert model.requests == []
