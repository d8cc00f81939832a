"""The snippets of react-ai-stream's page on custom endpoints, each against a running server."""

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .conftest import Serve
from .over_http.client import ask
from .over_http.wires import sse

GROQ = """
[models.groq]
provider = "groq"
base_url = "{upstream}"

[personas.support-agent]
system = "You help customers. Be brief."

[cors]
origins = ["https://app.example"]
"""


@pytest.fixture
def url(serve: Serve) -> str:
    """A server that is set up as the page's example is: Groq's model behind it, its key in the environment."""
    return serve(GROQ, GROQ_API_KEY="gsk-test").url


def test_sse_protocol(upstream: ThreadedUpstream, url: str) -> None:
    """``data: {"type":"text","text":"Hello"}``, and so on to ``data: {"type":"done"}``."""
    upstream.say("Hello", ", world", hold=True)
    with ask(url, body={"messages": [{"role": "user", "content": "Hello"}]}) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"Hello")
        request.release()
        lines = [line for line in answer.read().splitlines() if line.startswith(b"data:")]
    assert lines == [
        b'data: {"type":"text","text":"Hello"}',
        b'data: {"type":"text","text":", world"}',
        b'data: {"type":"done"}',
    ]


@pytest.mark.parametrize(
    ("reply", "events"),
    [
        (Reply(text=["Hi"]), [{"type": "text", "text": "Hi"}, {"type": "done"}]),
        (Reply(text=[]), [{"type": "done"}]),
        (
            Reply(text=["Hi", "!"], error_after=1),
            [
                {"type": "text", "text": "Hi"},
                {"type": "error", "error": "The answer broke off. The model reported an error."},
            ],
        ),
        (
            Reply(text=["Hi"], finish_reason=None, done=False),
            [
                {"type": "text", "text": "Hi"},
                {"type": "error", "error": "The answer broke off: the connection to the model was lost."},
            ],
        ),
    ],
    ids=["text and done", "done", "error of the provider", "error in processing"],
)
def test_when_to_emit_each_event(
    upstream: ThreadedUpstream, url: str, reply: Reply, events: list[dict[str, str]]
) -> None:
    """The table of events: ``text`` for each delta, ``done`` at the end, ``error`` in its place."""
    upstream.reply(reply)
    answer = ask(url, body={"messages": [{"role": "user", "content": "Hello"}]})
    assert [message.event for message in sse(answer.read())] == events


def test_request_shape(upstream: ThreadedUpstream, url: str) -> None:
    """``{"messages": [{"role": "user", "content": "Hello"}]}``: nothing more is sent, nothing more is needed."""
    answer = ask(url, body={"messages": [{"role": "user", "content": "Hello"}]})
    assert answer.status == 200
    assert sse(answer.read())[-1].event == {"type": "done"}
    assert upstream.received().body["messages"] == [{"role": "user", "content": "Hello"}]


def test_request_shape_of_a_later_turn(upstream: ThreadedUpstream, url: str) -> None:
    """The whole history comes every time, with the empty bubble that a failed answer left in it."""
    history = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Again?"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Again!"},
    ]
    ask(url, body={"messages": history}).read()
    assert upstream.received().body["messages"] == [row for row in history if row["content"]]


def test_body_option(upstream: ThreadedUpstream, url: str) -> None:
    """``body: { persona: 'support-agent', temperature: 0.7 }`` is merged in beside the messages."""
    messages = [{"role": "user", "content": "Hello"}]
    ask(url, body={"messages": messages, "persona": "support-agent", "temperature": 0.7}).read()
    sent = upstream.received().body
    assert sent["messages"] == [{"role": "system", "content": "You help customers. Be brief."}, *messages]
    assert sent["temperature"] == 0.7
    assert "persona" not in sent


def test_next_js_route(upstream: ThreadedUpstream, url: str) -> None:
    """What the example's route does: asks Groq with the server's key, and makes its deltas events of the hook's.

    Its stream comes in packets that are cut anywhere; ``[DONE]`` becomes ``done``, once, and ends the answer.
    """
    upstream.reply(Reply(text=["Hel", "lo, ", "wörld"], write_sizes=(7,), comments=True))
    answer = ask(url, body={"messages": [{"role": "user", "content": "Hello"}]})
    events = [message.event for message in sse(answer.read())]
    assert answer.headers["content-type"] == "text/event-stream"
    assert "no-cache" in answer.headers["cache-control"]
    assert "".join(event["text"] for event in events[:-1]) == "Hello, wörld"
    assert {event["type"] for event in events[:-1]} == {"text"}
    assert events[-1] == {"type": "done"}
    request = upstream.received()
    assert request.path.endswith("/chat/completions")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer gsk-test"
    assert request.body["model"] == "llama-3.3-70b-versatile"
    assert request.body["stream"] is True


def test_extra_headers(upstream: ThreadedUpstream, url: str) -> None:
    """``headers: { Authorization: `Bearer ${userToken}`, 'X-Session-Id': sessionId }``, from a page elsewhere."""
    origin = {"origin": "https://app.example"}
    wanted = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-session-id",
    }
    preflight = ask(url, body=b"", headers=origin | wanted, method="OPTIONS")
    assert preflight.status in (200, 204)
    allowed = {name.strip() for name in preflight.headers["access-control-allow-headers"].lower().split(",")}
    assert {"authorization", "content-type", "x-session-id"} <= allowed
    headers = origin | {"authorization": "Bearer token-of-the-user", "x-session-id": "session-1"}
    answer = ask(url, body={"messages": [{"role": "user", "content": "Hello"}]}, headers=headers)
    assert sse(answer.read())[-1].event == {"type": "done"}
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "token-of-the-user" not in str(upstream.received().headers)


def test_dynamic_headers(upstream: ThreadedUpstream, url: str) -> None:
    """ "Headers are sent on every ``sendMessage`` call": another token each time, and each time an answer."""
    for token in ("first", "second"):
        headers = {"authorization": f"Bearer {token}", "x-session-id": token}
        answer = ask(url, body={"messages": [{"role": "user", "content": token}]}, headers=headers)
        assert sse(answer.read())[-1].event == {"type": "done"}
    assert [request.headers["authorization"] for request in upstream.requests] == ["Bearer gsk-test"] * 2
