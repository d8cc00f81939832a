"""Who is let through to the application, and how the rest is answered."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from tokenwire.gate.origin import OriginGate, Origins

pytestmark = pytest.mark.anyio


class Application:
    """Counts what reaches it."""

    asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await PlainTextResponse("answer")(scope, receive, send)


async def answer(gate: OriginGate, origin: str | None, method: str = "POST", host: str = "chat.example") -> Message:
    """The head of what a request from an origin is answered."""
    headers = [(b"host", host.encode())] + ([] if origin is None else [(b"origin", origin.encode())])
    if method == "OPTIONS":
        headers.append((b"access-control-request-method", b"POST"))
    scope = {"type": "http", "method": method, "path": "/", "headers": headers}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await gate(scope, receive, send)
    return sent[0]


def gate(application: Application, origins: tuple[str, ...] | None) -> OriginGate:
    return OriginGate(application, Origins(origins), PlainTextResponse("refused", 403))


@pytest.mark.parametrize("origins", [None, (), ("https://app.example",)])
async def test_who_is_no_page_is_let_through(origins: tuple[str, ...] | None) -> None:
    application = Application()
    head = await answer(gate(application, origins), None)
    assert (head["status"], application.asked) == (200, 1)
    assert b"access-control-allow-origin" not in dict(head["headers"])


@pytest.mark.parametrize(
    ("origins", "host"),
    [
        ((), "chat.example"),
        ((), "chat.example:8000"),
        (("https://app.example",), "chat.example"),
        *((origins, host) for origins in (None, ()) for host in ("[::1]:8000", "192.168.1.5:8000", "localhost")),
    ],
)
async def test_the_servers_own_page_is_let_through(origins: tuple[str, ...] | None, host: str) -> None:
    application = Application()
    head = await answer(gate(application, origins), f"http://{host}", host=host)
    assert (head["status"], application.asked) == (200, 1)


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example:80", "1.2.3.4a"]
)
async def test_a_name_that_anybody_can_point_here_is_not_our_own(host: str) -> None:
    application = Application()
    head = await answer(gate(application, None), f"http://{host}", host=host)
    assert (head["status"], application.asked) == (403, 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_named_origin_is_let_through(method: str) -> None:
    origins = ("https://app.example", "http://10.0.0.7:3000")
    for origin in origins:
        application = Application()
        head = await answer(gate(application, origins), origin, method)
        assert application.asked == 1
        assert dict(head["headers"])[b"access-control-allow-origin"] == origin.encode()


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://[", "http://chat.example.evil.example"])
@pytest.mark.parametrize("origins", [None, (), ("https://app.example",)])
async def test_nobody_else_reaches_the_application(origins: tuple[str, ...] | None, origin: str, method: str) -> None:
    application = Application()
    head = await answer(gate(application, origins), origin, method)
    assert (head["status"], application.asked) == (403, 0)
    assert b"access-control-allow-origin" not in dict(head["headers"])


@pytest.mark.parametrize(
    ("origin", "let_through"),
    [(None, True), ("http://chat.example", True), ("https://app.example", True), ("https://evil.example", False)],
)
async def test_a_socket_is_let_through_as_a_request_is(origin: str | None, let_through: bool) -> None:
    headers = [(b"host", b"chat.example")] + ([] if origin is None else [(b"origin", origin.encode())])
    reached: list[str] = []
    sent: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    gate = OriginGate(application, Origins(("https://app.example",)), PlainTextResponse("refused", 403))
    await gate({"type": "websocket", "headers": headers}, receive, send)
    assert reached == (["websocket"] if let_through else [])
    assert [message.get("status") for message in sent] == ([] if let_through else [403, None])


async def test_a_preflight_is_answered_without_the_application() -> None:
    application = Application()
    head = await answer(gate(application, ("https://app.example",)), "https://app.example", "OPTIONS")
    assert (head["status"], application.asked) == (200, 0)


async def test_what_is_no_request_is_let_through() -> None:
    application = Application()
    reached: list[str] = []

    async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    async def never() -> Message:
        raise AssertionError

    async def nothing(message: Message) -> None:
        raise AssertionError(message)

    await OriginGate(lifespan, Origins(()), application)({"type": "lifespan"}, never, nothing)
    assert reached == ["lifespan"]
    assert application.asked == 0
