"""What any wire's request comes down to, and the lax reading of the JSON all of them share.

Clients of several generations, and hand-written adapters, send mixtures of each other's shapes to the same URL
(docs/wires/tanstack.md 1.3, docs/wires/rais.md 2), so one envelope reads them all: what is unknown is ignored, what
is known has its type.
"""

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
    id: str | None = None
    parts: list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    error: Any = None


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """The body of any chat request."""

    messages: list[Row] | None = None
    thread_id: str | None = None
    run_id: str | None = None
    data: dict[str, Any] | None = None
    forwarded_props: dict[str, Any] | None = None
    persona: Any = None
    model: Any = None
    provider: Any = None
    temperature: Any = None
    max_tokens: Any = None
    max_tokens_snake: Any = msgspec.field(default=None, name="max_tokens")
    max_completion_tokens: Any = msgspec.field(default=None, name="max_completion_tokens")


_decoder = msgspec.json.Decoder(Envelope)


def decode_envelope(body: bytes) -> Envelope:
    """The envelope of a request body.

    Raises :class:`Refusal`: ``bad_json`` where the body is not JSON (or nested without reason), ``bad_request`` with
    the path of the first wrong type.
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(Code.bad_request, f"The request is not a chat request: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refusal(Code.bad_json) from None
    except RecursionError:
        raise Refusal(Code.bad_json, "The request body is nested too deeply.") from None


def read_rows(envelope: Envelope, limit: int) -> list[Row]:
    """The rows of a request, refused when there are none or more than ``limit``."""
    rows = envelope.messages
    if not rows:
        raise Refusal(Code.bad_request, "The request has no messages.")
    if len(rows) > limit:
        raise Refusal(Code.too_many_messages, f"The conversation has more than {limit} messages.")
    return rows


def read_id(value: str | None, name: str) -> str | None:
    """A client's thread or run id, if it can be carried in a header, a URL and a log line."""
    if value is not None and not (value and len(value) <= MAX_ID and value.isascii() and value.isprintable()):
        raise Refusal(Code.bad_request, f"{name} must be 1 to {MAX_ID} printable ASCII characters.")
    return value


def read_options(*sources: dict[str, Any] | None) -> Options:
    """The options named in any of the sources; a later source wins (docs/wires/tanstack.md 1.3)."""
    chosen: dict[str, Any] = {}
    for source in sources:
        for name, value in (source or {}).items():
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
