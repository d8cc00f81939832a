"""A backend under a prefix of a host application, on a real server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import InvalidStatus

from ..over_http.client import ask, get
from ..over_http.web_socket import Socket, text_of
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire, label
from .hosts import HOSTS, OWN, ROOTS, Serving, serving
from .stage import Stage, who

PREFIX = "/deep/ai"
FRONT_END = "https://app.example"
ANN, BOB = {"x-user": "ann"}, {"x-user": "bob"}


@pytest.fixture
def stage() -> Stage:
    return Stage(authenticate=who, origins=[FRONT_END])


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Serving]:
    """Each framework, with the backend's lifespan."""
    with serving(HOSTS[request.param](stage.backend, lifespan=True)) as host:
        yield host


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, TANSTACK_NDJSON, LEGACY], ids=label)
def test_an_agent_answers_in_each_wire(host: Serving, stage: Stage, wire: Wire) -> None:
    body = wire.body("Hi there")
    with ask(host.url, PREFIX + wire.path, body, ANN) as answer:
        assert (answer.status, wire.text(answer.read())) == (200, "Hi there")
    assert wire.finished(answer.body)
    assert [(given.prompt, given.principal) for given in stage.asks] == [("Hi there", "ann")]


def test_the_host_answers_its_own_routes(host: Serving) -> None:
    with get(host.url, "/own") as answer:
        assert OWN in answer.read().decode()


def test_what_is_asked_without_a_name_is_readable_and_asks_nobody(host: Serving, stage: Stage) -> None:
    for method, path in (("POST", "/api/chat"), ("GET", "/api/chat?offset=-1&runId=1"), ("GET", "/models")):
        with ask(host.url, PREFIX + path, TANSTACK.body(), {"origin": FRONT_END}, method=method) as no:
            assert no.status == 401
            assert no.json["error"]["code"] == "unauthenticated"
            assert no.headers["access-control-allow-origin"] == FRONT_END
    assert stage.asks == []


def test_a_run_is_found_and_stopped_by_whom_it_is_of_alone(host: Serving, stage: Stage) -> None:
    with ask(host.url, PREFIX + "/api/chat", TANSTACK.body(run_id="r1", model="held"), ANN) as answer:
        answer.until(b"Hel")
        offset = TANSTACK.messages(answer.body[: answer.body.rindex(b"\n\n") + 2])[-1].id
        assert offset is not None
        for headers in ({}, {"last-event-id": offset}):
            with get(host.url, PREFIX + "/api/chat?offset=-1&runId=r1", {**BOB, **headers}) as foreign:
                assert foreign.status == 404
        with ask(host.url, PREFIX + "/api/chat/runs/r1/cancel", None, BOB) as foreign:
            assert foreign.status == 404
        with get(host.url, PREFIX + "/api/chat", {**ANN, "last-event-id": offset}) as rest:
            stage.release()
            assert TANSTACK.text(rest.read()) == "lo"
        assert TANSTACK.text(answer.read()) == "Hello"
    assert len(stage.asks) == 1


def test_the_same_run_id_of_somebody_else_is_another_run(host: Serving, stage: Stage) -> None:
    for headers, text in ((ANN, "from ann"), (BOB, "from bob"), (ANN, "never asked")):
        with ask(host.url, PREFIX + "/api/chat", TANSTACK.body(text, "same"), headers) as answer:
            answer.read()
    assert [(given.principal, given.prompt) for given in stage.asks] == [("ann", "from ann"), ("bob", "from bob")]


def test_a_cancel_runs_what_the_agent_has_to_do_last(host: Serving, stage: Stage) -> None:
    with ask(host.url, PREFIX + "/api/chat", TANSTACK.body(run_id="r1", model="held"), ANN) as answer:
        answer.until(b"Hel")
        with ask(host.url, PREFIX + "/api/chat/runs/r1/cancel", None, ANN) as cancelled:
            assert cancelled.json == {"runId": "r1", "cancelled": True}
        assert TANSTACK.text(answer.read()) == "Hel"
        assert TANSTACK.finished(answer.body)
    assert stage.ended.wait(20)


def test_a_client_that_leaves_stops_the_agent_where_the_policy_says_so(host: Serving, stage: Stage) -> None:
    with ask(host.url, PREFIX + "/api/chat", RAIS.body(model="held"), ANN) as answer:
        answer.until(b"Hel")
    assert stage.ended.wait(20)


def test_a_refusal_has_a_status_of_its_own(host: Serving) -> None:
    with ask(host.url, PREFIX + "/api/chat", RAIS.body(model="refusing"), ANN) as answer:
        assert (answer.status, answer.read()) == (400, b"Not for ann.")


def test_over_web_socket(host: Serving, stage: Stage) -> None:
    with Socket(host.url, headers=ANN, path=PREFIX + "/api/chat/ws") as socket:
        socket.send(TANSTACK.body("Hi", "r1"))
        assert text_of(socket.until("RUN_FINISHED")) == "Hi"
        socket.send(TANSTACK.body("Hi", "r2", model="held"))
        socket.until_text("Hel")
        socket.abort("r2")
        assert stage.ended.wait(20)
    with Socket(host.url, "?offset=-1&runId=r1", headers=ANN, path=PREFIX + "/api/chat/ws") as socket:
        assert text_of(socket.rest()) == "Hi"
    with Socket(host.url, "?offset=-1&runId=r1", headers=BOB, path=PREFIX + "/api/chat/ws") as socket:
        assert socket.closed.reason == "unknown_run"


def test_a_web_socket_of_nobody_is_not_opened(host: Serving) -> None:
    with pytest.raises(InvalidStatus, match="403"), Socket(host.url, path=PREFIX + "/api/chat/ws"):
        pass


def test_the_page_and_the_list_of_agents(host: Serving) -> None:
    with get(host.url, PREFIX + "/") as page:
        assert b'src="web/app.js"' in page.read()
    with get(host.url, PREFIX + "/web/app.js") as script:
        assert script.status == 200
        script.read()
    with get(host.url, PREFIX + "/models", ANN) as models:
        assert models.json["default"] == "echo"
        assert models.json["models"][0] == {
            "name": "echo", "description": "says it again", "greeting": "Hello?", "status": "ok", "targets": [],
        }  # fmt: skip


@pytest.mark.parametrize("name", ROOTS)
def test_the_root_is_a_prefix_as_well(stage: Stage, name: str) -> None:
    with serving(ROOTS[name](stage.backend)) as host:
        with ask(host.url, "/api/chat", TANSTACK.body("Hi"), ANN) as answer:
            assert TANSTACK.text(answer.read()) == "Hi"
        with get(host.url, "/web/app.js") as script:
            assert script.status == 200
            script.read()
        with get(host.url, "/") as page:
            assert b'src="web/app.js"' in page.read()


@pytest.mark.parametrize("lifespan", [True, False], ids=["lifespan", "no lifespan"])
@pytest.mark.parametrize("name", HOSTS)
def test_the_end_of_the_server_ends_what_is_under_way(stage: Stage, name: str, lifespan: bool) -> None:
    with (
        serving(HOSTS[name](stage.backend, lifespan=lifespan), timeout_graceful_shutdown=1) as host,
        ask(host.url, PREFIX + "/api/chat", TANSTACK.body(model="held"), ANN) as answer,
    ):
        answer.until(b"Hel")
        host.stop()
        host.join()
        assert stage.ended.is_set()


@pytest.mark.parametrize("name", HOSTS)
def test_without_a_lifespan_the_first_requests_begin_it_once(stage: Stage, name: str) -> None:
    with serving(HOSTS[name](stage.backend, lifespan=False)) as host, ThreadPoolExecutor(8) as clients:

        def join(_: int) -> str:
            with ask(host.url, PREFIX + "/api/chat", TANSTACK.body("Hi", "same"), ANN) as answer:
                return TANSTACK.text(answer.read())

        assert list(clients.map(join, range(8))) == ["Hi"] * 8
    assert len(stage.asks) == 1
