"""The provider's key is nowhere but in the question to the model.

That it is in no log either is looked at after every test of this directory.
"""

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask, get
from .conftest import CANARY
from .wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label

QUOTES = {
    "a refused key": Reply(status=401, body=f"Incorrect API key provided: {CANARY}."),
    "JSON": Reply(status=401, body={"error": {"message": f"Incorrect API key: {CANARY}", "code": CANARY}}),
    "a rejected question": Reply(status=400, body=f"Authorization: Bearer {CANARY}"),
    "a broken model": Reply(status=500, body=f"<pre>env: OPENAI_API_KEY={CANARY}</pre>"),
    "a busy model": Reply(status=429, body=CANARY, headers={"retry-after": CANARY}),
    "a web page": Reply(body=f"<html>{CANARY}</html>", headers={"content-type": "text/html"}),
    "a header": Reply(status=500, headers={"x-debug": CANARY, "content-type": CANARY}),
    "a redirect": Reply(status=302, headers={"location": f"https://elsewhere.example/?key={CANARY}"}),
    "an error in the stream": Reply(text=["a", "b"], error_after=1, error={"message": CANARY, "code": CANARY}),
    "nonsense in the stream": Reply(
        raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {" + CANARY.encode() + b"\n\n"
    ),
    "no HTTP": Reply(raw=CANARY.encode() + b"\r\n\r\n"),
}


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
@pytest.mark.parametrize("what", QUOTES)
def test_a_model_that_quotes_the_key_is_not_quoted(
    upstream: ThreadedUpstream, ordinary: str, wire: Wire, what: str
) -> None:
    upstream.reply(QUOTES[what])
    answer = ask(ordinary, wire.path, wire.body())
    body = answer.read()
    assert upstream.received().headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY[:14] not in f"{answer.headers}{body!r}"
    assert answer.status >= 400 or wire.failure(body) is not None


@pytest.mark.parametrize("length", range(465, 500, 5))
def test_the_half_of_a_key_that_a_log_line_ends_with_is_half_a_secret(
    upstream: ThreadedUpstream, ordinary: str, length: int
) -> None:
    """What is quoted in the log is cut short; a key that the cut goes through must not be left standing."""
    words = "x" * length
    upstream.reply(
        Reply(status=401, body=f"{words} {CANARY}"),
        Reply(text=["a", "b"], error_after=1, error={"message": f"{words} {CANARY}"}),
        Reply(body=f"{words} {CANARY}", headers={"content-type": "text/html"}),
    )
    for _ in range(3):
        ask(ordinary, body=RAIS.body()).read()


@pytest.mark.parametrize("length", range(165, 200, 5))
def test_nor_in_what_is_quoted_of_the_stream(upstream: ThreadedUpstream, ordinary: str, length: int) -> None:
    data = b"data: {" + b"x" * length + b" " + CANARY.encode() + b"\n\n"
    upstream.reply(Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + data))
    ask(ordinary, body=RAIS.body()).read()


@pytest.mark.parametrize("path", ["/", "/models", "/healthz", "/nothing", "/api/chat", "/web/app.js"])
def test_no_page_shows_it(ordinary: str, bare: str, path: str) -> None:
    for url in (ordinary, bare):
        answer = get(url, path)
        assert CANARY[:14] not in f"{answer.headers}{answer.body!r}"


def test_a_client_that_names_a_key_is_not_listened_to(upstream: ThreadedUpstream, ordinary: str) -> None:
    theirs = "sk-of-the-client"
    headers = {"authorization": f"Bearer {theirs}", "x-byok-openai": theirs, "x-byok-openai-compatible": theirs}
    question = RAIS.body(api_key=theirs, apiKey=theirs, base_url="http://evil.example", key_env="PATH")
    ask(ordinary, body=question, headers=headers).read()
    request = upstream.received()
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert theirs not in f"{request.headers}{request.body}"
