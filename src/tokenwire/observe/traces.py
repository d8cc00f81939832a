"""Spans, by OpenTelemetry's conventions for HTTP and for generative AI (extra ``otel``).

The server's span of a request is the parent of a client's span for each question to a model. A run keeps its place in
the trace (``RunInfo.trace``), so that whoever takes it up again, in whichever process, goes on in the same trace.

Every string that goes into a span goes through the redactor.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Message, Scope, Send

from .. import __version__
from ..errors import Failure
from ..providers.base import Answer, Prompt, Target
from ..runs.log import Log, RunInfo
from ..runs.run import Run
from .redaction import redact
from .spoken import input_messages, output_messages, system_instructions

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "openai-responses": "openai",
    "xai": "x_ai",
}
"""Where the convention has another word for a provider."""
_PARAMS = {
    name: f"gen_ai.request.{name}"
    for name in (
        *("frequency_penalty", "presence_penalty", "temperature", "top_k", "top_p"),
        *("max_tokens", "seed", "stop_sequences"),
    )
} | {"max_completion_tokens": "gen_ai.request.max_tokens", "stop": "gen_ai.request.stop_sequences"}
"""What the convention calls a target's own parameters, in the words of most APIs."""
_PORTS = {"http": 80, "https": 443}
_UNFINISHED = ["error"]
"""The convention's word wherever a model did not come to say why it ends, also where it was stopped."""
_ROUTES = frozenset(
    {
        *("/", "/models", "/usage", "/healthz", "/metrics", "/openapi.json", "/api/chat", "/api/chat/ndjson"),
        *("/api/chat/rais", "/api/chat/tanstack", "/api/chat/ws", "/api/chat/ticket"),
    }
)
_W3C = TraceContextTextMapPropagator()


class Traces:
    """Makes all spans of a server.

    :param content: whether what people ask and are answered is put into them.
    :param provider: of the SDK; by default the one that the process has.
    """

    def __init__(self, *, content: bool = False, provider: TracerProvider | None = None) -> None:
        self._content = content
        self._tracer = trace.get_tracer("tokenwire", __version__, provider)

    @contextlib.contextmanager
    def request(self, scope: Scope, send: Send) -> Iterator[Send]:
        """The server's span of a request; gives what to send its answer with."""
        method = scope.get("method", "GET")
        route = route_of(scope["path"].removeprefix(scope.get("root_path", "")))
        span = self._tracer.start_span(
            f"{method} {route}" if route else method,
            context=_caller(scope),
            kind=SpanKind.SERVER,
            attributes=_clean({"http.request.method": method, "http.route": route, "url.scheme": scope.get("scheme")}),
        )

        def send_seen(message: Message) -> Any:
            if message["type"] == "http.response.start":
                status = message["status"]
                span.set_attribute("http.response.status_code", status)
                if status >= 500:
                    span.set_attribute("error.type", str(status))
                    span.set_status(StatusCode.ERROR)
            return send(message)

        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield send_seen

    def place(self) -> str:
        """Where in which trace the running code is, as W3C's ``traceparent``; empty where nobody traces."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent", "")

    def begin(self, run: Run, model: str) -> "RunSpans":
        """See :class:`tokenwire.routing.watch.RouterWatch`."""
        return RunSpans(self._tracer, run, model, _of(run.info) or get_current(), self._content)

    def resume(self, log: Log, how: str) -> Span:
        """The span of somebody who takes a run up again: in the run's trace, and linked with its own request's."""
        request = trace.get_current_span()
        place = _of(log.info)
        run = trace.get_current_span(place).get_span_context()
        if run.is_valid:
            request.add_link(run)
        return self._tracer.start_span(
            how,
            context=place,
            links=[Link(request.get_span_context())] if place is not None else (),
            attributes=_clean(_named(log.info)),
        )


class RunSpans:
    """The questions of one run. See :class:`tokenwire.routing.watch.RunWatch`."""

    def __init__(self, tracer: trace.Tracer, run: Run, model: str, parent: Context, content: bool) -> None:
        self._tracer = tracer
        self._run = run
        self._model = model
        self._parent = parent
        self._content = content

    def ask(self, target: Target, prompt: Prompt) -> "AttemptSpan":
        """See :class:`tokenwire.routing.watch.RunWatch`."""
        attributes = {**_asked(target, prompt), **_named(self._run.info), "tokenwire.model": self._model}
        if self._content:
            attributes["gen_ai.system_instructions"] = system_instructions(prompt.messages)
            attributes["gen_ai.input.messages"] = input_messages(prompt.messages)
        span = self._tracer.start_span(
            f"chat {redact(target.model)}", context=self._parent, kind=SpanKind.CLIENT, attributes=_clean(attributes)
        )
        return AttemptSpan(span, self._run if self._content else None)


class AttemptSpan:
    """One question to one target. See :class:`tokenwire.routing.watch.AttemptWatch`."""

    def __init__(self, span: Span, run: Run | None) -> None:
        self._span = span
        self._run = run
        self._answering = False
        self._asked_at = time.perf_counter()

    def begin_answer(self) -> None:
        """See :class:`tokenwire.routing.watch.AttemptWatch`."""
        self._answering = True
        self._span.set_attribute("gen_ai.response.time_to_first_chunk", time.perf_counter() - self._asked_at)

    def finish(self, answer: Answer) -> None:
        """See :class:`tokenwire.routing.watch.AttemptWatch`."""
        usage = answer.usage
        said: dict[str, Any] = {
            "gen_ai.response.finish_reasons": [answer.reason],
            "gen_ai.response.model": answer.model,
        }
        if usage is not None:
            said |= {
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
                "gen_ai.usage.cache_write.input_tokens": usage.cache_write_tokens,
                "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
            }
        if self._run is None:
            self._end(said)
        else:
            self._end_with_answer(self._run.log, said, answer.reason)

    def fail(self, failure: Failure, status: int) -> None:
        """See :class:`tokenwire.routing.watch.AttemptWatch`."""
        self._span.set_status(Status(StatusCode.ERROR, redact(failure.message)))
        said: dict[str, Any] = {"error.type": str(failure.code), "http.response.status_code": status or None}
        self._end({**said, "gen_ai.response.finish_reasons": _UNFINISHED if self._answering else None})

    def stop(self) -> None:
        """See :class:`tokenwire.routing.watch.AttemptWatch`."""
        self._end({"gen_ai.response.finish_reasons": _UNFINISHED, "tokenwire.stopped": True})

    def _end_with_answer(self, log: Log, said: Mapping[str, Any], reason: str) -> None:
        """Not before all of the answer can be read, which is when the store has it; the span ends now all the same."""
        now = time.time_ns()

        def look() -> None:
            if log.closed or log.failure is not None:
                log.unfollow(look)
                self._end({**said, "gen_ai.output.messages": output_messages(log, reason)}, now)

        log.follow(look)

    def _end(self, said: Mapping[str, Any], end_time: int | None = None) -> None:
        self._span.set_attributes(_clean(said))
        self._span.end(end_time)


def route_of(path: str) -> str | None:
    """The route that a path is of: a span's name has no run ids, which are for their owners alone."""
    if path.startswith("/api/chat/runs/"):
        return "/api/chat/runs/{run}/cancel"
    if path.startswith("/web/"):
        return "/web/{file}"
    return path if path in _ROUTES else None


def _caller(scope: Scope) -> Context | None:
    """The caller's place in their trace, unless somebody before us has told OpenTelemetry of it."""
    if trace.get_current_span().get_span_context().is_valid:
        return None
    wanted = (b"traceparent", b"tracestate")
    carrier = {name.decode(): value.decode("latin-1") for name, value in scope.get("headers", ()) if name in wanted}
    return _W3C.extract(carrier)


def _of(run: RunInfo) -> Context | None:
    return _W3C.extract({"traceparent": run.trace}, Context()) if run.trace else None


def _asked(target: Target, prompt: Prompt) -> dict[str, Any]:
    url = urlsplit(target.base_url)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(target.provider, target.provider),
        "gen_ai.request.model": target.model,
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": prompt.max_tokens,
        "gen_ai.request.temperature": prompt.temperature,
        "gen_ai.request.reasoning.level": target.reasoning,
        "server.address": url.hostname,
        "server.port": url.port or _PORTS.get(url.scheme),
        **{_PARAMS[name]: _listed(name, value) for name, value in target.params.items() if name in _PARAMS},
    }


def _listed(name: str, value: Any) -> Any:
    return [value] if name == "stop" and isinstance(value, str) else value


def _named(run: RunInfo) -> dict[str, Any]:
    return {
        "gen_ai.conversation.id": run.thread_id or None,
        "tokenwire.run.id": run.run_id,
        "tokenwire.wire": run.wire or None,
    }


def _clean(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to say, without secrets."""
    return {name: _redacted(value) for name, value in attributes.items() if value is not None}


def _redacted(value: Any) -> Any:
    if isinstance(value, list):
        return [_redacted(one) for one in value]
    return redact(value) if isinstance(value, str) else value
