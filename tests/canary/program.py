"""The command, in a process that traces into a file; with an application of its own as well, which has agents."""

import asyncio
import gc
import logging
import os
import socket
import sys
import warnings
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenwire import Ask, ChatBackend, Middleware, Question
from tokenwire.cli import main
from tokenwire.events import Event
from tokenwire.observe.logs import configure
from tokenwire.runs.log import RunInfo


class File(SpanExporter):
    """A span a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a") as file:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


class Throwing(Middleware):
    """Says in an exception whatever it sees."""

    def on_request(self, question: Question) -> None:
        if question.options.model == "refused":
            raise RuntimeError(f"not {question.messages[-1].text}")

    def on_event(self, run: RunInfo, event: Event) -> None:
        raise RuntimeError(f"no {event} in {run}")


logger = logging.getLogger("host")

_ORDINARY = (b"x-request-id", b"last-event-id", b"origin")
"""Headers that are not for secrets. Some client puts one there all the same, and nobody could know."""


def who(connection: HTTPConnection) -> str | None:
    """Nobody who has a cookie is known, and says so with it. Whoever asks is logged as no application should."""
    raw = [(name, value) for name, value in connection.scope["headers"] if name not in _ORDINARY]
    logger.debug("headers %s, or %s; %s", Headers(raw=raw), raw, connection.url)
    if "cookie" in connection.headers:
        raise KeyError(connection.headers["cookie"])
    return "alice"


def loud(app: ASGIApp) -> ASGIApp:
    """Logs all that may show who is asking, as no application should."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_loudly() -> Message:
            message = await receive()
            if '"auth"' in (message.get("text") or ""):
                logger.debug("came %s: %s", message, message["text"])
            return message

        if scope["type"] != "lifespan":
            raw = [(name, value) for name, value in scope["headers"] if name not in _ORDINARY]
            logger.debug("headers %s, or %s; %s", Headers(raw=raw), raw, HTTPConnection(scope).url)
            logger.debug("protocols %s", scope.get("subprotocols"))
        await app(scope, receive_loudly, send)

    return answer


def serve_configured(config: str) -> None:
    """Serves what a configuration says, in an application that logs too much."""
    configure("text", "debug")
    _serve(loud(ChatBackend(config)))


class Dying:
    """Says something where nobody listens."""

    def __init__(self, said: str) -> None:
        self._said = said

    def __del__(self) -> None:
        raise LookupError(self._said)


def serve_agents(store: str, log_format: str, content: str) -> None:
    """Serves agents that tell in exceptions what they were asked.

    :param content: "content" where it is to be in the log.
    """
    configure("json" if log_format == "json" else "text", "debug", content=content == "content")
    backend = ChatBackend(
        {
            "models": {"fast": {"provider": "openai", "key_env": "PROVIDER_KEY"}},
            "store": store,
            "metrics": {"token_env": "SCRAPER"},
            "traces": {"enabled": True},
        },
        middleware=[Throwing()],
        authenticate=who,
    )

    @backend.agent("raising", default=True)
    async def raising(ask: Ask) -> AsyncIterator[str]:
        yield os.environ["ANSWER"]
        raise ValueError(f"cannot answer {ask.prompt} with {os.environ['PROVIDER_KEY']}")

    @backend.agent("raising-at-once")
    async def raising_at_once(ask: Ask) -> str:
        raise ExceptionGroup(ask.prompt, [KeyError(ask.prompt)])

    @backend.agent("unreachable")
    async def unreachable(ask: Ask) -> str:
        raise ConnectionError(f"no {os.environ['PROVIDER_KEY']} for Bearer {ask.data['token']}")

    @backend.agent("careless")
    async def careless(ask: Ask) -> str:
        async def fail() -> None:
            raise ZeroDivisionError(ask.prompt)

        await asyncio.wait([asyncio.create_task(fail())])
        Dying(ask.prompt)
        warnings.warn(f"not a number: {ask.prompt!r}", stacklevel=1)
        try:
            Path(f"/nowhere/{ask.prompt}").read_text()  # noqa: ASYNC240
        except OSError as error:
            logger.exception("careless: %s", error)
        gc.collect()
        return os.environ["ANSWER"]

    @backend.agent("refused")
    async def refused(ask: Ask) -> str:
        return ask.prompt

    @backend.agent("nonsense")
    async def nonsense(ask: Ask) -> AsyncIterator[Any]:
        yield {"what": ask.prompt}

    _serve(backend)


def _serve(app: Any) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(f"page http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
        uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])


if __name__ == "__main__":
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(File(Path(os.environ["SPANS"]))))
    trace.set_tracer_provider(provider)
    if sys.argv[1] == "agents":
        serve_agents(*sys.argv[2:])
    elif sys.argv[1] == "configured":
        serve_configured(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
