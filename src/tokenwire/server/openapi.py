"""What may be asked over HTTP, as an OpenAPI document (``GET /openapi.json``).

It describes the product, not an installation: no model, no name and no limit of the operator's is in it.
"""

from collections.abc import Container
from typing import Any

from .. import __version__
from ..errors import Code
from ..ledger.formats import CONTENT_TYPES, FORMATS
from ..ledger.report import BY
from ..wire.request import MAX_ID

Json = dict[str, Any]

_ABOUT = """\
The backend of a chat hook. A question starts a run; its answer comes as a stream of events, in the words of the client
that asks: TanStack AI's `useChat`, in either generation, or react-ai-stream's `useAIChat`. A run can be joined, resumed
where a connection broke off, and stopped.

The same chats are to be had over WebSocket at `/api/chat/ws`, which OpenAPI has no words for.
"""

_TEXT: Json = {"type": "string"}
_STREAM: Json = {}
"""Schemas describe values, not sequences of them."""
_COUNT: Json = {"type": "integer", "minimum": 0}
_ID: Json = {"type": "string", "minLength": 1, "maxLength": MAX_ID, "pattern": "^[ -~]*$"}
_MOMENT: Json = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}


def describe(served: Container[str]) -> Json:
    """The document, of those paths that are served."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "tokenwire", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "./", "description": "where this document is"}],
        # without [auth] nobody has to say who they are
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "paths": {path: item for path, item in _PATHS.items() if path in served},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, or a JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": _SCHEMAS,
        },
    }


def _object(required: Json, optional: Json | None = None) -> Json:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _maybe(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _named(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _answer(description: str, **content: Json) -> Json:
    """A response. Content types are named by what comes after the slash."""
    return {
        "description": description,
        "content": {_TYPES[name]: {"schema": schema} for name, schema in content.items()},
    }


def _refusals(*statuses: int, plain: bool = False) -> Json:
    """Responses that say no: JSON, and with ``plain`` a sentence to clients that show the body as it is."""
    content = {"json": _named("Error"), **({"plain": _TEXT} if plain else {})}
    return {str(status): _answer(_REASONS[status], **content) for status in sorted({*statuses, *_EVERYWHERE})}


def _query(name: str, description: str, schema: Json = _TEXT) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _chat(stream: str, words: str) -> Json:
    """A path where questions are asked and runs are joined."""
    stream_answer = _answer(f"The answer's events, {words}.", **{stream: _STREAM}) | {"headers": _STREAM_HEADERS}
    nothing = {"204": {"description": "The answer has ended, and there is nothing more to tell."}}
    refusals = _refusals(400, 401, 402, 404, 408, 410, 413, 422, 429, 500, 502, 503, 504, plain=True)
    return {
        "post": {
            "summary": "Ask, and follow the answer",
            "description": "With `Last-Event-ID` nothing is asked: the run that it names is taken up again.",
            "parameters": [_LAST_EVENT_ID],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _named("Question"), "example": _HELLO}},
            },
            "responses": {"200": stream_answer, **nothing, **refusals},
        },
        "get": {
            "summary": "Join a run, or take it up again",
            "parameters": [
                _LAST_EVENT_ID,
                _query("offset", "`-1` from the start, `now` from here on, else the id of the last event seen"),
                _query("runId", "which run; needed with `-1` and `now`"),
            ],
            "responses": {"200": stream_answer, **nothing, **refusals},
        },
    }


_TYPES = {
    "json": "application/json",
    "plain": "text/plain",
    "csv": "text/csv",
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "metrics": "application/openmetrics-text",
}

_EVERYWHERE = (400, 403, 404, 405, 431, 500)
_REASONS = {
    400: "What was sent cannot be read, or asks for something that is not offered.",
    401: "Nobody known is asking.",
    402: "The budget is used up.",
    403: "Not from this origin, or not by this name.",
    404: "There is no such thing, or it is somebody else's.",
    405: "Not by this method.",
    408: "The request did not arrive in time.",
    410: "The answer was stopped because nobody was listening any more.",
    413: "Too much at once.",
    422: "JSON, but not a chat request.",
    429: "Too often, or too many at once; `Retry-After` says when to come back.",
    431: "The head of the request is too large.",
    500: "Something went wrong.",
    502: "The model failed.",
    503: "At the limit, about to stop, or without a store; try again in a moment.",
    504: "The model did not answer in time.",
}

_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the id of the last event seen: the answer goes on after it",
    "schema": _TEXT,
}
_STREAM_HEADERS = {"X-Run-Id": {"description": "the run's id", "schema": _TEXT}}

_HELLO: Json = {"messages": [{"role": "user", "content": "Hello"}]}

_SCHEMAS: Json = {
    "Error": _object(
        {"error": _object({"code": {"type": "string", "enum": [code.value for code in Code]}, "message": _TEXT})}
    ),
    "Message": {
        "type": "object",
        "description": "with `content`, or rendered with `parts`",
        "properties": {
            "id": _TEXT,
            "role": {"type": "string", "examples": ["user", "assistant", "system", "tool"]},
            "content": {"anyOf": [_TEXT, _list({}), {"type": "null"}]},
            "parts": _maybe(_list({"type": "object"})),
        },
    },
    "Question": _object(
        {"messages": {"type": "array", "minItems": 1, "items": _named("Message")}},
        {
            "threadId": _maybe(_ID) | {"description": "the conversation"},
            "runId": _maybe(_ID) | {"description": "the answer; asked again, it is joined"},
            "persona": _maybe(_TEXT),
            "model": _maybe(_TEXT),
            "provider": _maybe(_TEXT),
            "temperature": _maybe({"type": "number"}),
            "maxTokens": _maybe({"type": "integer"}),
            "data": {"description": "may hold the same wishes, and what else an agent is told"},
            "forwardedProps": {"description": "likewise"},
        },
    ),
    "Models": _object(
        {
            "default": _TEXT,
            "models": _list(
                _object(
                    {
                        "name": _TEXT,
                        "description": _TEXT,
                        "status": _TEXT,
                        "targets": _list(_object({"provider": _TEXT, "status": _TEXT})),
                    },
                    {"greeting": _TEXT},
                )
            ),
            "personas": _list(_object({"name": _TEXT, "description": _TEXT, "greeting": _TEXT})),
        }
    ),
    "UsageLine": _object(
        {
            "group": _TEXT,
            **dict.fromkeys(("runs", "finished", "promptTokens", "completionTokens", "cachedTokens"), _COUNT),
            **dict.fromkeys(("estimated", "unpriced"), _COUNT),
            "dollars": {"type": "number", "minimum": 0},
        }
    ),
    "Usage": _object(
        {
            "by": {"type": "string", "enum": list(BY)},
            "usage": _list(_named("UsageLine")),
            "total": _named("UsageLine"),
        }
    ),
}

_SSE = "as server-sent events"
_HEALTH = _object({"status": {"type": "string", "enum": ["ok", "leaving"]}})

_PATHS: Json = {
    "/api/chat": _chat("sse", _SSE),
    "/api/chat/ndjson": _chat("ndjson", "one a line"),
    "/api/chat/rais": _chat("sse", f"{_SSE}, in react-ai-stream's words whatever the body looks like"),
    "/api/chat/tanstack": _chat("sse", f"{_SSE}, in TanStack's words whatever the body looks like"),
    "/api/chat/runs/{run}/cancel": {
        "post": {
            "summary": "Stop a run at once",
            "parameters": [
                {"name": "run", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            ],
            "responses": {
                "200": _answer(
                    "It has stopped; `cancelled` says whether it was still under way.",
                    json=_object({"runId": _TEXT, "cancelled": {"type": "boolean"}}),
                ),
                **_refusals(401, 503),
            },
        }
    },
    "/api/chat/ticket": {
        "post": {
            "summary": "What opens one WebSocket in the name of who is asking",
            "responses": {
                "200": _answer(
                    "Put it into the address: `/api/chat/ws?ticket=…`.",
                    json=_object({"ticket": _TEXT, "expiresIn": {"type": "number"}}),
                ),
                **_refusals(401, 503),
            },
        }
    },
    "/models": {
        "get": {
            "summary": "What a question may ask for",
            "responses": {"200": _answer("Models and personas.", json=_named("Models")), **_refusals(401, 503)},
        }
    },
    "/usage": {
        "get": {
            "summary": "What one's own runs have used",
            "parameters": [
                _query("by", "a line for each", {"type": "string", "enum": list(BY), "default": "day"}),
                _query("format", "how it is told", {"type": "string", "enum": list(FORMATS), "default": "json"}),
                _query("since", "runs that began then or later", _MOMENT),
                _query("until", "runs that began before", _MOMENT),
                _query("model", "runs that asked this model"),
                _query("key", "runs asked with this key, by its public part"),
            ],
            "responses": {
                "200": {
                    "description": "Sums of the ledger. Without a ledger there is nothing at this path (404).",
                    "content": {
                        media.partition(";")[0]: {"schema": _named("Usage") if name == "json" else _TEXT}
                        for name, media in CONTENT_TYPES.items()
                    },
                },
                **_refusals(401, 422, 503),
            },
        }
    },
    "/healthz": {
        "get": {
            "summary": "Whether new questions should come here",
            "security": [{}],
            "parameters": [
                _query(
                    "stream",
                    "sends a few events in place of the answer, to see whether a proxy holds them back; "
                    "`slow` is silent in between, as long as an answer may be",
                    {"type": "string", "enum": ["1", "slow"]},
                )
            ],
            "responses": {
                "200": _answer("Yes.", json=_HEALTH, sse=_STREAM),
                **_refusals(422),
                "503": _answer(
                    "No: it is about to stop, or is probed by too many at once.",
                    json={"anyOf": [_HEALTH, _named("Error")]},
                ),
            },
        }
    },
    "/metrics": {
        "get": {
            "summary": "Metrics for Prometheus",
            "security": [{"bearer": []}],
            "responses": {
                "200": _answer("As Prometheus or OpenMetrics.", plain=_TEXT, metrics=_TEXT),
                **_refusals(),
                "401": _answer(_REASONS[401], plain=_TEXT),
            },
        }
    },
}
