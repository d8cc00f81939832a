"""Spans say what the conventions want said, in one trace, and neither secrets nor content."""

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

from tokenwire import ChatBackend
from tokenwire.observe.traces import route_of
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


def config(upstream: ThreadedUpstream, **traces: Any) -> dict[str, Any]:
    return {
        "models": {
            "fast": {
                "provider": "openai-compatible",
                "base_url": upstream.base_url,
                "model": "upstream-of-fast",
                "key_env": "SPAN_KEY",
                "max_tokens": 50,
                "retries": 1,
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
