"""One question, and the text of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Literal

from ..wire.reading import SseReader
from .cancel import cancel_run
from .connection import Messages, RunContext
from .errors import ClientError, RunFailed
from .fetch import FetchRequest, FetchResponse, fetch
from .http import HttpAdapter, fetch_server_sent_events
from .options import FetchOptions, Headers
from .rais_answer import RaisAnswer, RaisReader
from .rais_connection import RaisAdapter, fetch_rais
from .sync import synchronous

AskWire = Literal["auto", "tanstack", "rais"]


async def ask(
    url: str,
    prompt: str,
    *,
    wire: AskWire = "auto",
    model: str | None = None,
    persona: str | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Headers = (),
    messages: Messages = (),
) -> AsyncGenerator[str, None]:
    """The answer to ``prompt``, piece by piece::

        async for delta in ask("http://127.0.0.1:8000/api/chat", "Hello"):
            print(delta, end="")

    :param wire: ``tanstack`` or ``rais``; ``auto`` asks as the newest TanStack clients do and reads either.
    :param body: more fields for the server, beside ``model`` and ``persona``.
    :param messages: what was said before: ``{"role": …, "content": …}`` each.

    A lost connection is taken up again where the server numbers its events. Leaving the iteration, or cancelling its
    task, stops the model: the connection is closed, and a server that names its runs is told at once.

    Raises :class:`RunFailed` with the server's message, and what the adapters raise: :class:`HttpError`,
    :class:`ConnectionLostError`, :class:`TruncatedStreamError`, :class:`ProtocolError` …
    """
    run = RunContext()
    request = _Request(None if wire == "rais" else run.run_id)
    options = FetchOptions(headers=headers, fetch_client=request.fetch)
    named = {"model": model, "persona": persona}
    data = {**(body or {}), **{name: value for name, value in named.items() if value is not None}}
    question = [*messages, {"role": "user", "content": prompt}]
    try:
        async with aclosing(_adapter(url, wire, options, run).connect(question, data, None, run)) as chunks:
            async for chunk in chunks:
                if chunk["type"] == "RUN_ERROR":
                    raise _failure(chunk)
                if chunk["type"] == "TEXT_MESSAGE_CONTENT" and chunk.get("delta"):
                    yield chunk["delta"]
    except (GeneratorExit, asyncio.CancelledError):
        if request.run_id is not None:
            with suppress(ClientError):  # the connection is closed, and that has to do
                await cancel_run(url, request.run_id, headers)
        raise


ask_sync = synchronous(ask)


class _Request:
    """The request on its way, and the run it began."""

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        """As far as it is known: the one that was asked for, until the server names it or does not."""

    @asynccontextmanager
    async def fetch(self, request: FetchRequest) -> AsyncGenerator[FetchResponse, None]:
        """A fetch client that looks who answers."""
        async with fetch(request) as response:
            self.run_id = response.headers.get("x-run-id")
            yield response


def _adapter(url: str, wire: AskWire, options: FetchOptions, run: RunContext) -> HttpAdapter | RaisAdapter:
    if wire == "rais":
        return fetch_rais(url, options)
    if wire == "tanstack":
        return fetch_server_sent_events(url, options)
    if wire != "auto":
        raise ValueError(f"Invalid wire: {wire}. It is auto, tanstack or rais.")
    answer = RaisAnswer(run)
    return HttpAdapter(url, options, lambda limit, run: RaisReader(SseReader(limit, run.thread_id, run.run_id), answer))


def _failure(chunk: Mapping[str, Any]) -> RunFailed:
    """What a ``RUN_ERROR`` of either generation says."""
    error = chunk.get("error")
    said = {**(error if isinstance(error, Mapping) else {}), **chunk}
    return RunFailed(str(said.get("message") or "The run failed."), said.get("code"))
