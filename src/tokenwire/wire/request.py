"""What any wire's request comes down to, and the lax reading of the JSON all of them share.

Clients of several generations, and hand-written adapters, send mixtures of each other's shapes to the same URL
(docs/wires/tanstack.md 1.3, docs/wires/rais.md 2), so one envelope reads them all: what is unknown is ignored, what
is known has its type.
"""

import json
from typing import Any

import msgspec

from ..errors import Code, Refusal
from ..messages import Message

MAX_ID = 200
"""Characters of a thread or run id."""


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request asks for beside its messages. A wish: the policy decides (:mod:`tokenwire.gate.policy`)."""

    persona: str | None = None
    model: str | None = None
    provider: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """A request, whichever wire it came in. The ids are the client's own, ``None`` where it named none."""

    messages: tuple[Message, ...]
    options: Options
    thread_id: str | None = None
    run_id: str | None = None


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """One message as some client sends it: rendered with ``parts``, an AG-UI row, or plain role and content."""

    role: str | None = None
    content: str | list[Any] | None = None
    parts: list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    error: Any = None
    encrypted_value: Any = None


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """The body of any chat request. What only some wires know may be anything in the others."""

    messages: list[Row] | None = None
    thread_id: Any = None
    run_id: Any = None
    data: Any = None
    forwarded_props: Any = None
    persona: Any = None
    model: Any = None
    provider: Any = None
    temperature: Any = None
    max_tokens: Any = None
    max_tokens_snake: Any = msgspec.field(default=None, name="max_tokens")
    max_completion_tokens: Any = msgspec.field(default=None, name="max_completion_tokens")
    tools: msgspec.Raw = msgspec.Raw(b"null")
    """What the client declares of its own, as it came."""


_decoder = msgspec.json.Decoder(Envelope)


def decode_envelope(body: bytes) -> Envelope:
    """The envelope of a request body.

    Raises :class:`Refusal`: ``bad_json`` where the body is not JSON (or nested without reason), ``bad_request`` with
    the path of the first wrong type.
    """
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(Code.bad_request, f"The request is not a chat request: {error}.") from None
    except ValueError:
        raise Refusal(Code.bad_json) from None
    except RecursionError:
        raise Refusal(Code.bad_json, "The request body is nested too deeply.") from None


def _decode(body: bytes) -> Envelope:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if b"\\u" not in body:
            raise
        return _decoder.decode(_mend_surrogates(body))


def _mend_surrogates(body: bytes) -> bytes:
    """The same JSON without halves of characters, which a browser writes where a text was cut through an emoji.

    Strictly it is no JSON text; refused, the conversation that holds it could never go on.
    """
    return json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")


def read_rows(envelope: Envelope, limit: int) -> list[Row]:
    """The rows of a request, refused when there are none or more than ``limit``."""
    rows = envelope.messages
    if not rows:
        raise Refusal(Code.bad_request, "The request has no messages.")
    if len(rows) > limit:
        raise Refusal(Code.too_many_messages, f"The conversation has more than {limit} messages.")
    return rows


def read_id(value: Any, name: str) -> str | None:
    """A client's thread or run id, if it can be carried in a header, a URL and a log line."""
    if value is None:
        return None
    if not (isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isascii() and value.isprintable()):
        raise Refusal(Code.bad_request, f"{name} must be 1 to {MAX_ID} printable ASCII characters.")
    return value


def read_options(*sources: Any) -> Options:
    """The options named in any of the sources; a later source wins (docs/wires/tanstack.md 1.3)."""
    chosen: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items() if isinstance(source, dict) else ():
            if name in _OPTION_NAMES and value is not None:
                chosen[_OPTION_NAMES[name]] = value
    try:
        return msgspec.convert(chosen, Options)
    except msgspec.ValidationError as error:
        raise Refusal(Code.bad_request, f"An option of the request has the wrong type: {error}.") from None


_OPTION_NAMES = {
    **{name: name for name in Options.__struct_fields__},
    "maxTokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
}


def top_level(envelope: Envelope) -> dict[str, Any]:
    """The options that stand beside ``messages`` in the body."""
    return {
        "persona": envelope.persona,
        "model": envelope.model,
        "provider": envelope.provider,
        "temperature": envelope.temperature,
        "maxTokens": envelope.max_tokens,
        "max_tokens": envelope.max_tokens_snake,
        "max_completion_tokens": envelope.max_completion_tokens,
    }
