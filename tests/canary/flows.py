"""Everything that a client can do, and everything that can go wrong with it."""

import contextlib
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from websockets.exceptions import WebSocketException

from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import Answer, ask, exchange, get
from ..over_http.web_socket import Socket
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON
from .canaries import ANSWER, HEADERS, JWT, OTHER_HEADERS, PROMPT, PROVIDER_KEY, TICKET

GOOD = Reply(text=("It is ", ANSWER))
QUOTED = f"Incorrect API key provided: {PROVIDER_KEY}"

REFUSALS = {
    "a refused key": Reply(status=401, body={"error": {"message": QUOTED, "code": PROVIDER_KEY}}),
    "a page of HTML": Reply(status=500, body=f"<html>{QUOTED}</html>", headers={"content-type": "text/html"}),
    "a page in place of a stream": Reply(body=f"<p>{QUOTED} {ANSWER}", headers={"content-type": "text/html"}),
    "a header": Reply(status=503, headers={"x-debug": PROVIDER_KEY}),
    "a redirect": Reply(status=302, headers={"location": f"https://elsewhere.example/?key={PROVIDER_KEY}"}),
    "an error in the stream": Reply(text=(ANSWER, ANSWER), error_after=1, error={"message": QUOTED, "code": QUOTED}),
    "nonsense in the stream": Reply(
        raw=f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {{{ANSWER} {PROVIDER_KEY}\n\n".encode()
    ),
    "no HTTP": Reply(raw=PROVIDER_KEY.encode() + b"\r\n\r\n"),
    "a stream that is cut": Reply(text=(ANSWER, "b"), cut_at=400),
    "a connection that is reset": Reply(text=(ANSWER, "b"), reset_at=400),
    "a stream without an end": Reply(text=(ANSWER,), finish_reason=None, done=False),
    "a stream that falls silent": Reply(text=(ANSWER,), stall_at=300),
    "silence": Reply(hold="head"),
}

BAD_BODIES: list[Any] = [
    b"{" + PROMPT.encode(),
    b"\xff" + PROMPT.encode(),
    b"[" * 5000 + PROMPT.encode(),
    {"messages": PROMPT},
    {"messages": [{"role": PROMPT, "content": PROMPT}]},
    {"messages": [{"role": "user", "content": {PROMPT: JWT}}]},
    {"messages": [{"role": "user", "content": PROMPT}], "model": 7, "persona": [PROMPT]},
    {"messages": [{"role": "user", "content": PROMPT}] * 2000},
    {"messages": [{"role": "user", "content": PROMPT * 100_000}]},
    {"messages": [], "threadId": "t" * 5000, "runId": 5},
]

PATHS = [
    "/",
    "/models",
    "/healthz",
    "/web/app.js",
    f"/nothing?token={TICKET}",
    f"/web/../{TICKET}",
    f"/api/chat?ticket={TICKET}",
    f"/api/chat?offset={TICKET}&runId=any",
    f"/metrics?token={TICKET}",
]


class Told:
    """What a server has said: to be looked through."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        """To somebody who asked a model, and may read what it says."""
        self.others: list[str] = []

    def hear(self, answer: Answer, *, of_a_run: bool = False) -> bytes:
        """An answer, read to whatever end it has."""
        with contextlib.suppress(HTTPException, OSError, AssertionError):
            answer.read()
        (self.answers if of_a_run else self.others).append(f"{answer.status} {answer.headers} {answer.body!r}")
        return answer.body


def chat(url: str, upstream: ThreadedUpstream, told: Told, ask_one: Callable[..., Any]) -> None:
    """Asks over every wire, resumes, joins, cancels, and everything that a model can do wrong."""
    for number, wire in enumerate((RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY)):
        upstream.reply(GOOD)
        run = f"good-{number}"
        told.hear(ask(url, wire.path, ask_one(wire.body(PROMPT, run)), HEADERS), of_a_run=True)
        told.hear(get(url, f"{wire.path}?offset=-1&runId={run}", OTHER_HEADERS), of_a_run=True)
        told.hear(ask(url, wire.path, wire.body(PROMPT, run), HEADERS), of_a_run=True)
        told.hear(ask(url, f"/api/chat/runs/{run}/cancel", headers=OTHER_HEADERS))
    for name, reply in REFUSALS.items():
        upstream.reply(reply)
        told.hear(ask(url, body=ask_one(TANSTACK.body(PROMPT, f"bad {name}")), headers=HEADERS), of_a_run=True)
    upstream.reply(Reply(text=(ANSWER, "b"), hold=True))
    with ask(url, body=ask_one(TANSTACK.body(PROMPT, "stopped")), headers=HEADERS) as under_way:
        told.hear(ask(url, "/api/chat/runs/stopped/cancel", headers=HEADERS))
        told.hear(under_way, of_a_run=True)


def odd_requests(url: str, told: Told) -> None:
    """Requests that are none."""
    for body in BAD_BODIES:
        told.hear(ask(url, body=body, headers=HEADERS))
        told.hear(ask(url, "/api/chat/rais", body, OTHER_HEADERS))
    for path in PATHS:
        told.hear(get(url, path, HEADERS))
        told.hear(ask(url, path, b"{}", OTHER_HEADERS, method="PUT"))
    told.hear(ask(url, body={"messages": []}, headers={"origin": f"https://{TICKET}.example", **HEADERS}))
    told.hear(get(url, "/api/chat", {"last-event-id": TICKET, **HEADERS}))
    told.hear(get(url, "/models", {"x-request-id": f"{TICKET}\t{PROMPT}", **HEADERS}))
    told.others.append(repr(exchange(url, f"GET /{TICKET} HTTP/9\r\ncookie: {TICKET}\r\n\r\n".encode())))


def sockets(url: str, upstream: ThreadedUpstream, told: Told) -> None:
    """The same over WebSockets."""
    upstream.reply(GOOD)
    with Socket(url, f"?ticket={TICKET}", HEADERS) as socket:
        socket.send(TANSTACK.body(PROMPT, "on-a-socket"))
        told.answers.append(repr(socket.until("RUN_FINISHED")))
        upstream.reply(REFUSALS["a refused key"])
        socket.send(TANSTACK.body(PROMPT, "refused-on-a-socket"))
        told.answers.append(repr(socket.until("RUN_ERROR")))
        upstream.reply(Reply(text=(ANSWER, "b"), hold=True))
        socket.send(TANSTACK.body(PROMPT, "aborted-on-a-socket"))
        socket.until("RUN_STARTED")
        socket.abort("aborted-on-a-socket")
        socket.send({"type": "abort", "runId": [PROMPT]})
        told.others.append(repr(socket.closed))
    with Socket(url, "?offset=-1&runId=on-a-socket", OTHER_HEADERS) as socket:
        told.answers.append(repr(socket.rest()))
    for frame in (PROMPT, PROMPT.encode(), {"messages": PROMPT}, b"\xff"):
        with contextlib.suppress(WebSocketException), Socket(url, f"?ticket={TICKET}", HEADERS) as socket:
            socket.send(frame)
            told.others.append(repr((socket.rest(), socket.was_closed)))
