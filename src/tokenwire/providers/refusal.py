"""What a provider's refusal means: one taxonomy for all of them.

The status decides, but where the words of the error say more: providers spread the same few reasons over many
statuses, and a gateway before them over others again. The words are matched within the error object only, never in
what else a page may say.
"""

import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ..errors import Code, UpstreamFailure

_QUOTED_BYTES = 64 * 1024
_DAY = 86_400
_DEPTH = 4

_WORDS: tuple[tuple[Code, re.Pattern[str]], ...] = (
    (Code.upstream_quota, re.compile(r"insufficient_quota|billing|credit balance|insufficient (credits|balance)")),
    (
        Code.context_too_long,
        re.compile(
            r"context_length_exceeded|maximum context length|context (window|length)|(prompt|input|request) is too long"
            r"|input token count|exceeds? the (maximum|max|available) (number of (input )?tokens|context)"
            r"|request_too_large|too many (input )?tokens in the prompt"
        ),
    ),
    (
        Code.content_filtered,
        re.compile(r"content_filter|content_policy|responsibleaipolicy|content management policy|moderation|flagged"),
    ),
    (
        Code.upstream_unknown_model,
        re.compile(r"model_not_found|not_found_error|models?\b.{0,80}(not found|does not exist|is not found)"),
    ),
    (Code.upstream_auth, re.compile(r"invalid_api_key|api_key_invalid|api key not valid|authentication_error")),
    (Code.upstream_overloaded, re.compile(r"overloaded|engine is currently busy")),
    (Code.upstream_rate_limited, re.compile(r"rate_limit|rate limit|resource_exhausted|too many requests")),
)
_STATUSES: dict[int, Code] = {
    400: Code.upstream_rejected,
    401: Code.upstream_auth,
    402: Code.upstream_quota,
    403: Code.upstream_auth,
    408: Code.upstream_timeout,
    413: Code.upstream_rejected,
    422: Code.upstream_rejected,
    429: Code.upstream_rate_limited,
    502: Code.upstream_unavailable,
    503: Code.upstream_unavailable,
    504: Code.upstream_timeout,
    529: Code.upstream_overloaded,
}
_TELLING = frozenset({400, 402, 403, 404, 413, 422, 429, 500})
"""The statuses whose words may say more. A 401 that quotes a model's name is still about the key."""
_LATER = frozenset({Code.upstream_rate_limited, Code.upstream_overloaded, Code.upstream_unavailable})


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
    """An answer that is not a success. The body is quoted for the log only."""
    code = _STATUSES.get(status, Code.upstream_error)
    if status in _TELLING:
        code = _from_words(_decode(body)) or code
    detail = f"HTTP {status}: {_quote(body)}"
    return UpstreamFailure(code, detail=detail, retry_after=_retry_after(headers) if code in _LATER else None)


def read_error(error: bytes) -> UpstreamFailure:
    """An error object in the midst of a stream: its ``code`` may be a status, or a word that names one."""
    value = _decode(error)
    code = _from_words(value)
    if code is None and isinstance(value, dict) and isinstance(status := value.get("code"), int):
        code = _STATUSES.get(status)
        if code is Code.upstream_rejected:
            code = None  # too late to blame the conversation: it was accepted
    return UpstreamFailure(code or Code.upstream_error, detail=_quote(error))


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _from_words(value: Any) -> Code | None:
    words = " ".join(_words(value, 0)).lower()
    return next((code for code, pattern in _WORDS if pattern.search(words)), None)


def _words(value: Any, depth: int) -> Iterator[str]:
    """The texts of an error, in whichever of its fields they stand."""
    if isinstance(value, str):
        yield value[:1000]
    elif isinstance(value, dict | list) and depth < _DEPTH:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _words(item, depth + 1)


def _quote(body: bytes) -> str:
    return body[:_QUOTED_BYTES].decode("utf-8", "replace")


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Seconds. ``Retry-After`` is a number of them, or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(int(value[:9]), _DAY)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(max(0, round(moment.timestamp() - time.time())), _DAY)
