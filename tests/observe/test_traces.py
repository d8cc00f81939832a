"""Spans say what the conventions want said, in one trace, and neither secrets nor content."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.routing import Mount

from tokenwire import ChatBackend
from tokenwire.observe.traces import route_of
from tokenwire.server.openapi import describe
from tokenwire.testing import Reply, ThreadedUpstream

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))

KEY = "sk-of-the-provider-4f1d9c"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def _spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider of this process, in which nobody else traces."""
    EXPORTER.clear()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", PROVIDER)
    monkeypatch.setenv("SPAN_KEY", KEY)


def config(upstream: ThreadedUpstream, model: dict[str, Any] | None = None, **traces: Any) -> dict[str, Any]:
    return {
        "models": {
            "fast": {
                "provider": "openai-compatible",
                "base_url": upstream.base_url,
                "model": "upstream-of-fast",
                "key_env": "SPAN_KEY",
                "max_tokens": 50,
                "retries": 1,
                **(model or {}),
            }
        },
        "personas": {"p": {"system": "Be brief, Eve."}},
        "traces": {"enabled": True, **traces},
    }


def question(run: str = "r", **more: Any) -> dict[str, Any]:
    return {"threadId": "t", "runId": run, "messages": [{"role": "user", "content": "What does Alice say?"}], **more}


async def spans() -> dict[str, ReadableSpan]:
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


class Served:
    def __init__(self, backend: ChatBackend) -> None:
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(backend), base_url="http://localhost")

    async def ask(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.client.post("/api/chat", json=body, headers=headers)


async def served(content: dict[str, Any]) -> AsyncIterator[Served]:
    backend = ChatBackend(content, page=False)
    async with backend.running():
        one = Served(backend)
        async with one.client:
            yield one


@pytest.mark.anyio
async def test_a_question(upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("Bob", " says"), cached_tokens=3))
    async for server in served(config(upstream)):
        await server.ask(question(), traceparent=CALLER)
    found = await spans()
    request, chat = found["POST /api/chat"], found["chat upstream-of-fast"]
    assert request.kind is trace.SpanKind.SERVER
    assert request.parent is not None
    assert request.parent.span_id == 0xB7AD6B7169203331
    assert request.context.trace_id == chat.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/api/chat",
        "url.scheme": "http",
        "http.response.status_code": 200,
    }
    assert chat.kind is trace.SpanKind.CLIENT
    assert chat.parent is not None
    assert chat.parent.span_id == request.context.span_id
    said = attributes(chat)
    assert said.pop("gen_ai.response.time_to_first_chunk") > 0
    assert said.pop("server.port") > 0
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai-compatible",
        "gen_ai.request.model": "upstream-of-fast",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.conversation.id": "t",
        "gen_ai.response.model": "upstream-of-fast",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 8,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "server.address": "127.0.0.1",
        "tokenwire.model": "fast",
        "tokenwire.run.id": "r",
        "tokenwire.wire": "tanstack",
    }
    assert chat.status.is_ok or chat.status.is_unset


@pytest.mark.anyio
async def test_each_attempt_has_a_span_and_says_what_went_wrong(upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(status=503, body=f"no {KEY}"), Reply(text=("Bob",)))
    async for server in served(config(upstream)):
        assert (await server.ask(question())).status_code == 200
    first, second = [span for span in EXPORTER.get_finished_spans() if span.name.startswith("chat")]
    assert attributes(first)["error.type"] == "upstream_unavailable"
    assert attributes(first)["http.response.status_code"] == 503
    assert first.status.status_code is trace.StatusCode.ERROR
    assert "error.type" not in attributes(second)
    assert KEY not in first.to_json()


@pytest.mark.anyio
@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "gemini", "ollama"])
async def test_the_model_that_answers(upstream: ThreadedUpstream, provider: str) -> None:
    path = {"openai": "/v1", "openai-responses": "/v1", "gemini": "/v1beta"}.get(provider, "")
    upstream.reply(Reply(text=("Bob", " says"), model="the-one-of-today"))
    async for server in served(config(upstream, {"provider": provider, "base_url": upstream.origin + path})):
        assert (await server.ask(question())).status_code == 200
    said = attributes((await spans())["chat upstream-of-fast"])
    assert said["gen_ai.response.model"] == "the-one-of-today"
    assert said["gen_ai.request.model"] == "upstream-of-fast"


@pytest.mark.anyio
async def test_what_a_target_is_asked_for_beside_that(upstream: ThreadedUpstream) -> None:
    """Its own parameters are the last word, in the convention's spelling."""
    params = {"top_p": 0.5, "seed": 7, "stop": f"END {KEY}", "max_tokens": 20, "metadata": {"of": "nobody"}}
    model = {"provider": "moonshot", "temperature": 0.25, "params": params}
    upstream.reply(Reply(text=("Bob",)))
    async for server in served(config(upstream, model)):
        await server.ask(question())
    said = attributes((await spans())["chat upstream-of-fast"])
    assert said["gen_ai.provider.name"] == "moonshot_ai"
    asked = {name.removeprefix("gen_ai.request."): value for name, value in said.items() if ".request." in name}
    assert asked == {
        "model": "upstream-of-fast",
        "stream": True,
        "temperature": 0.25,
        "max_tokens": 20,
        "top_p": 0.5,
        "seed": 7,
        "stop_sequences": ("END ****",),
    }


@pytest.mark.anyio
async def test_an_answer_without_an_end_has_no_reason_of_the_model_s(upstream: ThreadedUpstream) -> None:
    broken = Reply(text=("Bob", " says"), error_after=1)
    upstream.reply(Reply(text=("Bob",), hold=True), broken, Reply(status=401, body="no"))
    async for server in served(config(upstream, {"retries": 0})):
        asked = asyncio.create_task(server.ask(question("stopped")))
        await asyncio.to_thread(upstream.received)
        await server.client.post("/api/chat/runs/stopped/cancel")
        await asked
        await server.ask(question("broken"))
        await server.ask(question("refused"))
    said = {
        span["tokenwire.run.id"]: span
        for span in map(attributes, EXPORTER.get_finished_spans())
        if "gen_ai.operation.name" in span
    }
    reasons = {run: span.get("gen_ai.response.finish_reasons") for run, span in said.items()}
    assert reasons == {"stopped": ("error",), "broken": ("error",), "refused": None}
    assert {run for run, span in said.items() if "tokenwire.stopped" in span} == {"stopped"}
    assert {run for run, span in said.items() if "error.type" in span} == {"broken", "refused"}
    requests = [span for span in EXPORTER.get_finished_spans() if span.name == "POST /api/chat"]
    failed = [span for span in requests if span.status.status_code is trace.StatusCode.ERROR]
    assert [attributes(span)["error.type"] for span in failed] == ["502"]  # the others were answered


@pytest.mark.anyio
async def test_who_has_told_of_the_request_already_is_believed(upstream: ThreadedUpstream) -> None:
    """Another's middleware, which has read the same header."""
    async for server in served(config(upstream)):
        with PROVIDER.get_tracer("theirs").start_as_current_span("theirs"):
            await server.client.get("/models", headers={"traceparent": CALLER})
    found = await spans()
    assert found["GET /models"].parent == found["theirs"].context


@pytest.mark.anyio
@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_a_resume_goes_on_in_the_trace_of_the_run(upstream: ThreadedUpstream, store: str, tmp_path: Path) -> None:
    """With a store outside, in the next process as well."""
    upstream.reply(Reply(text=("Bob", " says")))
    where = {"store": store if store == "memory" else f"sqlite:///{tmp_path}/runs.db"}
    async for server in served({**config(upstream), **where}):
        await server.ask(question(), traceparent=CALLER)
        if store == "memory":
            await server.client.get("/api/chat", params={"offset": "-1", "runId": "r"})
    if store == "sqlite":
        async for server in served({**config(upstream), **where}):
            await server.client.get("/api/chat", params={"offset": "-1", "runId": "r"})
    found = await spans()
    request, join, run = found["GET /api/chat"], found["join"], found["POST /api/chat"]
    assert join.context.trace_id == run.context.trace_id
    assert join.parent is not None
    assert join.parent.span_id == run.context.span_id
    assert [link.context.span_id for link in join.links] == [request.context.span_id]
    assert [link.context.span_id for link in request.links] == [run.context.span_id]
    assert request.context.trace_id != run.context.trace_id


@pytest.mark.anyio
async def test_there_is_no_content(upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("Bob", " says")))
    async for server in served(config(upstream)):
        await server.ask(question(persona="p"))
    written = "".join(span.to_json() for span in EXPORTER.get_finished_spans())
    assert not [name for name in ("Alice", "Bob", "Eve") if name in written]


@pytest.mark.anyio
@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_but_where_it_is_wanted_and_redacted(upstream: ThreadedUpstream, store: str, tmp_path: Path) -> None:
    upstream.reply(Reply(text=("Bob", f" says {KEY}")))
    where = {"store": store if store == "memory" else f"sqlite:///{tmp_path}/runs.db"}
    async for server in served({**config(upstream, content=True), **where}):
        await server.ask(question(persona="p"))
    said = attributes((await spans())["chat upstream-of-fast"])
    assert json.loads(said["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief, Eve."}]
    assert json.loads(said["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "What does Alice say?"}]}
    ]
    (answer,) = json.loads(said["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "text", "content": "Bob says ****"}]


@pytest.mark.anyio
async def test_under_a_prefix_the_route_is_the_same(upstream: ThreadedUpstream) -> None:
    backend = ChatBackend(config(upstream), page=False)
    mounted = Starlette(routes=[Mount("/ai", backend)])
    async with (
        backend.running(),
        httpx.AsyncClient(transport=httpx.ASGITransport(mounted), base_url="http://localhost") as client,
    ):
        await client.get("/ai/models")
    assert "GET /models" in await spans()


def test_every_path_that_is_served_is_a_route() -> None:
    class Everything:
        def __contains__(self, path: object) -> bool:
            return True

    described = set(describe(Everything())["paths"])
    for path in (*described, "/", "/openapi.json", "/api/chat/ws"):
        assert route_of(path) == path


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/chat", "/api/chat"),
        ("/api/chat/runs/a/b/cancel", "/api/chat/runs/{run}/cancel"),
        ("/web/app.js", "/web/{file}"),
        ("/nothing/sk-of-somebody", None),
    ],
)
def test_a_span_s_name_has_no_ids(path: str, route: str | None) -> None:
    assert route_of(path) == route
