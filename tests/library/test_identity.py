"""Who is asking."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tokenwire import Ask, ChatBackend, Code, Refusal
from tokenwire.errors import Failure

from ..over_http.wires import LEGACY, RAIS, TANSTACK, Wire


def client(authenticate: Any) -> TestClient:
    backend = ChatBackend(authenticate=authenticate)

    @backend.agent("who")
    async def who(ask: Ask) -> str:
        return ask.principal

    return TestClient(backend, raise_server_exceptions=False)


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, LEGACY], ids=lambda wire: wire.name)
def test_nobody_is_told_in_the_form_that_the_hook_shows(wire: Wire) -> None:
    with client(lambda _: None) as asking:
        answer = asking.post("/api/chat", json=wire.body())
    assert answer.status_code == 401
    sentence = "Who is asking? Sign in, or send a valid key."
    assert (answer.text if wire is RAIS else answer.json()["error"]["message"]) == sentence


def test_a_principal_is_found_with_or_without_waiting() -> None:
    async def later(connection: HTTPConnection) -> str:
        return connection.cookies["session"] + "@" + connection.query_params["shop"]

    for authenticate in (later, lambda _: "ann@main"):
        with client(authenticate) as asking:
            asking.cookies = {"session": "ann"}
            assert RAIS.text(asking.post("/api/chat?shop=main", json=RAIS.body()).content) == "ann@main"


def test_an_exception_is_nobody_and_its_text_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    users: dict[str, str] = {}
    with client(lambda connection: users[connection.headers["authorization"]]) as asking:
        answer = asking.get("/models", headers={"authorization": "sk-secret"})
    assert answer.status_code == 401
    assert "KeyError" in caplog.text
    assert "sk-secret" not in caplog.text + answer.text


def test_a_failure_of_its_own_is_told_as_it_is() -> None:
    def authenticate(_: HTTPConnection) -> str:
        raise Refusal(Code.overloaded, "Too many questions.", retry_after=7)

    with client(authenticate) as asking:
        answer = asking.get("/models")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        with pytest.raises(WebSocketDisconnect) as closed, asking.websocket_connect("/api/chat/ws"):
            pass
    assert (closed.value.code, closed.value.reason) == (1008, "overloaded")


@pytest.mark.parametrize("principal", ["", None])
def test_no_name_is_nobody(principal: str | None) -> None:
    with client(lambda _: principal) as asking:
        assert asking.get("/api/chat?offset=-1&runId=1").status_code == 401


def test_what_is_no_name_is_a_mistake_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    with client(lambda _: 42) as asking:
        assert asking.post("/api/chat", json=RAIS.body()).status_code == 500
    assert "as a str, not as int" in caplog.text


def test_a_web_socket_is_not_opened() -> None:
    with (
        client(lambda _: None) as asking,
        pytest.raises(WebSocketDisconnect) as closed,
        asking.websocket_connect("/api/chat/ws"),
    ):
        pass
    assert (closed.value.code, closed.value.reason) == (4401, "unauthenticated")


def test_failure_is_the_root_of_refusals() -> None:
    assert issubclass(Refusal, Failure)
