"""A chat on a single route of a framework, on a real server."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import litestar
import pytest
from fastapi import FastAPI, Request, Response
from litestar import HttpMethod
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tokenwire import Ask, ChatBackend, chat_response

from ..over_http.client import ask, get
from ..over_http.wires import LEGACY, RAIS, TANSTACK, TANSTACK_NDJSON, Wire
from .hosts import Serving, serving
from .stage import Stage, who

Answer = Callable[[Any], Any]
PATH = "/chat"


def fastapi_route(answer: Answer) -> ASGIApp:
    app = FastAPI()

    @app.api_route(PATH, methods=["GET", "POST", "PUT"])
    async def chat(request: Request) -> Response:
        response: Response = await answer(request)
        return response

    return app


def starlette_route(answer: Answer) -> ASGIApp:
    async def chat(request: StarletteRequest) -> StarletteResponse:
        response: StarletteResponse = await answer(request)
        return response

    return Starlette(routes=[Route(PATH, chat, methods=["GET", "POST", "PUT"])])


def litestar_route(answer: Answer) -> Any:
    @litestar.route(PATH, http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT])
    async def chat(request: litestar.Request[Any, Any, Any]) -> StarletteResponse:
        response: StarletteResponse = await answer(request)
        return response

    return litestar.Litestar([chat], openapi_config=None)


ROUTES = {"fastapi": fastapi_route, "starlette": starlette_route, "litestar": litestar_route}


class Iterating:
    """An answer under way, which knows what became of it."""

    def __init__(self, *deltas: str) -> None:
        self._deltas = iter(deltas)
        self.begun = self.closed = False

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        self.begun = True
        for delta in self._deltas:
            return delta
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def stage() -> Stage:
    return Stage(authenticate=who)


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> Callable[[Answer], ASGIApp]:
    make: Callable[[Answer], ASGIApp] = ROUTES[request.param]
    return make


@pytest.fixture
def held(route: Callable[[Answer], ASGIApp], stage: Stage) -> Iterator[Serving]:
    """A route that says "Hel", and the rest when the stage says so."""

    async def answer(request: Any) -> Any:
        return await chat_response(request, stage.held, principal="ann", backend=stage.backend)

    with serving(route(answer)) as host:
        yield host


@pytest.mark.parametrize("wire", [RAIS, TANSTACK, LEGACY], ids=lambda wire: wire.name)
def test_an_iterator_answers_in_the_wire_it_is_asked_in(route: Callable[[Answer], ASGIApp], wire: Wire) -> None:
    sources: list[Iterating] = []

    async def answer(request: Any) -> Any:
        sources.append(Iterating("Hel", "lo"))
        return await chat_response(request, sources[-1])

    with serving(route(answer)) as host, ask(host.url, PATH, body := wire.body("Hi", "r1")) as first:
        assert (first.status, wire.text(first.read())) == (200, "Hello")
        assert wire.finished(first.body)
        with ask(host.url, PATH, body) as second:
            assert wire.text(second.read()) == "Hello"
    # where the client names its run, the second request is the same one once more
    assert [source.begun for source in sources] == [True, wire.name != "tanstack"]
    assert all(source.closed for source in sources)


def test_a_function_gets_what_was_asked(route: Callable[[Answer], ASGIApp]) -> None:
    async def support(ask: Ask) -> str:
        return f"{ask.principal} {ask.thread_id} {ask.prompt} {ask.data['shop']}"

    async def answer(request: Any) -> Any:
        return await chat_response(request, support, principal="ann", wire="tanstack", framing="ndjson")

    with serving(route(answer)) as host:
        body = TANSTACK.body("Hi", forwardedProps={"shop": "main"})
        with ask(host.url, PATH, body) as told:
            assert TANSTACK_NDJSON.text(told.read()) == "ann thread-1 Hi main"


def test_a_run_is_taken_up_and_joined_and_stopped_on_the_same_route(held: Serving, stage: Stage) -> None:
    with ask(held.url, PATH, TANSTACK.body(run_id="r1")) as answer:
        answer.until(b'"Hel"')
        answer.until(b"\n\n", answer.body.count(b"\n\n") + (not answer.body.endswith(b"\n\n")))
        offset = {"last-event-id": TANSTACK.messages(answer.body)[-1].id or ""}
        with (
            get(held.url, PATH, offset) as resumed,
            ask(held.url, PATH, TANSTACK.body(), offset) as posted,
            get(held.url, f"{PATH}?offset=-1&runId=r1") as joined,
        ):
            stage.release()
            assert [TANSTACK.text(other.read()) for other in (resumed, posted, joined)] == ["lo", "lo", "Hello"]
    assert len(stage.asks) == 1


def test_a_stop(held: Serving, stage: Stage) -> None:
    with ask(held.url, PATH, TANSTACK.body(run_id="r1")) as answer:
        answer.until(b'"Hel"')
        with ask(held.url, f"{PATH}?cancel=r1") as stopped:
            assert stopped.json == {"runId": "r1", "cancelled": True}
        assert TANSTACK.finished(answer.read())
    assert stage.ended.wait(20)
    with ask(held.url, f"{PATH}?cancel=r2") as unknown:
        assert unknown.status == 404


def test_a_client_that_leaves(held: Serving, stage: Stage) -> None:
    with ask(held.url, PATH, RAIS.body()) as answer:
        answer.until(b"Hel")
    assert stage.ended.wait(20)


def test_nothing_but_get_and_post(held: Serving) -> None:
    with ask(held.url, PATH, TANSTACK.body(), method="PUT") as answer:
        assert (answer.status, answer.json["error"]["code"]) == (405, "method_not_allowed")


def test_what_is_no_question_never_begins_the_source(route: Callable[[Answer], ASGIApp]) -> None:
    sources: list[Iterating] = []

    async def answer(request: Any) -> Any:
        sources.append(Iterating("Hello"))
        return await chat_response(request, sources[-1])

    with serving(route(answer)) as host:
        for body, headers, status in ((b"{", {}, 400), (b"{}", {}, 422), (b"{}", {"last-event-id": "none"}, 204)):
            with ask(host.url, PATH, body, headers) as refused:
                assert refused.status == status
        with get(host.url, PATH) as refused:
            assert refused.status == 400
    assert [(source.begun, source.closed) for source in sources] == [(False, True)] * 4


def test_the_backend_asks_who_where_the_route_does_not_say(stage: Stage) -> None:
    async def answer(request: Any) -> Any:
        return await chat_response(request, Iterating("Hello"), backend=stage.backend)

    with serving(fastapi_route(answer)) as host:
        with ask(host.url, PATH, RAIS.body()) as nobody:
            assert nobody.status == 401
        with ask(host.url, PATH, RAIS.body(), {"x-user": "ann"}) as ann:
            assert RAIS.text(ann.read()) == "Hello"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"wire": "nope"}, "wire: 'nope' is not one of rais, tanstack, tanstack-legacy"),
        ({"framing": "sss"}, "framing: 'sss' is not one of sse, ndjson"),
        ({"principal": ""}, "principal: a name that is not empty, or None"),
        ({"principal": 42}, "principal: a name that is not empty, or None"),
    ],
)
async def test_what_there_is_to_choose_from_is_told(options: dict[str, Any], told: str) -> None:
    backend, source = ChatBackend({}), Iterating("Hello")
    async with backend.running():
        with pytest.raises(ValueError, match=f"^{told}$"):
            await chat_response(StarletteRequest({"type": "http"}), source, backend=backend, **options)
    assert source.closed


@pytest.mark.anyio
@pytest.mark.parametrize("wrong", [(delta for delta in "Hello"), ["Hello"], "Hello", None], ids=type)
async def test_what_would_block_or_is_no_source_is_refused_at_once(wrong: Any) -> None:
    backend = ChatBackend({})
    async with backend.running():
        with pytest.raises(TypeError, match=f"an async iterator or a function, not {type(wrong).__name__}"):
            await chat_response(StarletteRequest({"type": "http"}), wrong, backend=backend)


def test_a_generator_is_read_to_its_end() -> None:
    heard = threading.Event()

    async def said() -> AsyncIterator[str]:
        yield "Hel"
        await asyncio.to_thread(heard.wait, 20)
        yield "lo"

    async def answer(request: Any) -> Any:
        return await chat_response(request, said())

    with serving(fastapi_route(answer)) as host, ask(host.url, PATH, RAIS.body()) as told:
        told.until(b"Hel")
        heard.set()
        assert RAIS.text(told.read()) == "Hello"


def test_a_body_that_was_read_before_and_headers_and_a_task_that_are_added() -> None:
    over = threading.Event()

    async def answer(request: Request) -> Response:
        body = await request.json()
        response = await chat_response(request, Iterating(body["messages"][0]["content"]))
        response.headers["x-shop"] = "main"
        response.background = BackgroundTask(over.set)
        return response

    with serving(fastapi_route(answer)) as host, ask(host.url, PATH, RAIS.body("Hi")) as told:
        assert RAIS.text(told.read()) == "Hi"
        assert told.headers["x-shop"] == "main"
        assert told.headers["content-type"] == "text/event-stream"
        assert over.wait(20)
