"""Whom the server connects to: the providers of its configuration, whatever is asked."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from .client import ask, exchange
from .wires import RAIS, TANSTACK, Json


class Trap:
    """A listener that nobody has any business at."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    @property
    def sprung(self) -> bool:
        """Whether anybody has connected: the kernel takes a connection before anybody accepts it."""
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def trap() -> Iterator[Trap]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield Trap(listener)


def image(url: str) -> Json:
    part = {"type": "image", "source": {"type": "url", "value": url}}
    return TANSTACK.body() | {"messages": [{"id": "m", "role": "user", "content": [part]}]}


def wishes(trap: Trap) -> list[dict[str, Any]]:
    url = f"http://{trap.address}/v1"
    fields = ("model", "provider", "persona", "base_url", "baseURL", "api_base", "endpoint", "host", "proxy", "url")
    return [
        *({field: url} for field in fields),
        {"model": f"//{trap.address}/x"},
        {"model": f"../../../{trap.address}"},
        {"model": f"openai-compatible/{url}"},
        {"model": f"small@{trap.address}"},
        {"model": {"base_url": url}},
        {"provider": {"base_url": url}},
        {"data": {"model": url, "base_url": url, "provider": url}},
        {"forwardedProps": {"model": url, "base_url": url, "baseURL": url}},
    ]


def test_no_field_of_a_request_leads_elsewhere(upstream: ThreadedUpstream, ordinary: str, trap: Trap) -> None:
    asked = 0
    for wish in wishes(trap):
        upstream.say("Hi")
        answer = ask(ordinary, body=TANSTACK.body() | wish)
        answer.read()
        asked += answer.status == 200
    assert asked
    assert [(request.path, request.body["model"]) for request in upstream.requests] == [
        ("/v1/chat/completions", "upstream-of-small")
    ] * asked
    assert trap.address not in str([(request.headers, request.body) for request in upstream.requests])
    assert not trap.sprung


def test_no_header_does(upstream: ThreadedUpstream, ordinary: str, trap: Trap) -> None:
    names = (
        "x-forwarded-host x-forwarded-for x-forwarded-proto forwarded x-original-url x-rewrite-url x-host via "
        "x-byok-openai x-byok-openai-compatible x-byok-base-url x-base-url referer proxy http-proxy"
    )
    for name in names.split():
        upstream.say("Hi")
        assert RAIS.text(ask(ordinary, body=RAIS.body(), headers={name: f"http://{trap.address}"}).read()) == "Hi"
    for request in upstream.requests:
        assert request.path == "/v1/chat/completions"
        assert trap.address not in str(request.headers)
    assert not trap.sprung


@pytest.mark.parametrize("target", ["http://{trap}/api/chat", "http://{trap}/", "//{trap}/api/chat", "{trap}"])
@pytest.mark.parametrize("method", ["POST", "GET", "CONNECT"])
def test_no_target_of_a_request_does(
    upstream: ThreadedUpstream, ordinary: str, trap: Trap, target: str, method: str
) -> None:
    body = json.dumps(RAIS.body()).encode()
    upstream.say("Hi")
    head = (
        f"{method} {target.format(trap=trap.address)} HTTP/1.1\r\nhost: {trap.address}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    said = exchange(ordinary, head.encode() + body)
    assert said.startswith(b"HTTP/1.1 ")
    assert all(request.headers["host"] == upstream.origin.removeprefix("http://") for request in upstream.requests)
    assert not trap.sprung


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_provider_sends_it_elsewhere(upstream: ThreadedUpstream, ordinary: str, trap: Trap, status: int) -> None:
    upstream.reply(Reply(status=status, headers={"location": f"http://{trap.address}/v1/chat/completions"}))
    answer = ask(ordinary, body=TANSTACK.body())
    assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_error")
    assert trap.address.encode() not in answer.body
    assert not trap.sprung


@pytest.mark.parametrize(
    "form",
    [
        "http://{0}/a.png",
        "https://{0}/a.png",
        "https://2130706433:{1}/a.png",
        "https://cdn.example@{0}/a.png",
        "https://localhost:{1}/a.png",
        "https://localhost.localdomain:{1}/a.png",
    ],
)
def test_an_address_within_is_not_passed_on(upstream: ThreadedUpstream, ordinary: str, trap: Trap, form: str) -> None:
    answer = ask(ordinary, body=image(form.format(trap.address, trap.port)))
    assert answer.status == 422
    assert answer.json["error"] == {
        "code": "bad_request",
        "message": "Images and files are taken from public https addresses only.",
    }
    assert upstream.requests == []
    assert not trap.sprung


def test_data_and_a_public_address_are(upstream: ThreadedUpstream, ordinary: str) -> None:
    for url in ("data:image/png;base64,AA==", "https://93.184.215.14/a.png"):
        upstream.say("Hi")
        assert TANSTACK.text(ask(ordinary, body=image(url)).read()) == "Hi"
        (part,) = upstream.requests[-1].body["messages"][0]["content"]
        assert part["image_url"]["url"] == url
