"""What a provider's refusal means: one taxonomy for all of them.

The status decides, but where the error says more: providers spread the same few reasons over many statuses, and a
gateway before them over others again. An error says more in its codes and types, else in its message, and only there:
what else a body holds may quote the conversation, which may speak of billing and moderation.
"""

import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from ..errors import Code, UpstreamFailure

_QUOTED_BYTES = 64 * 1024
_DAY = 86_400
_DEPTH = 6
_MOST_TEXTS = 50
_CHARACTERS = 1000

_NAMES = frozenset({"code", "type", "status", "reason", "error_type", "error", "message"})
"""The fields that may hold the name of an error. One is a single word; where it is more, it is a message."""
_MESSAGES = frozenset({"error", "message", "msg", "detail", "errors", "description", "raw"})
_WITHIN = frozenset({"error", "errors", "detail", "details", "message", "metadata", "innererror"})
"""Where in an error there may be another."""
_QUOTATION = re.compile(r"""['"]?\binput(_value)?['"]?\s*[:=]""")
"""From here on, a validation error in a message quotes what it did not like."""

_DELAY = re.compile(r"([0-9]{1,9})(\.[0-9]*)?s")

_BY_NAME: dict[str, Code] = {
    name: code
    for code, names in {
        Code.upstream_quota: "insufficient_quota insufficient_credits billing_error billing_hard_limit_reached "
        "billing_not_active credit_limit",
        Code.context_too_long: "context_length_exceeded exceed_context_size_error request_too_large",
        Code.content_filtered: "content_filter content_policy_violation responsibleaipolicyviolation "
        "data_inspection_failed invalid_prompt bio_policy misalignment_policy_violation image_content_policy_violation",
        Code.upstream_unknown_model: "model_not_found model_not_available model_decommissioned invalid_model "
        "deploymentnotfound not_found_error",
        Code.upstream_auth: "invalid_api_key wrong_api_key api_key_invalid authentication_error permission_error "
        "unauthenticated",
        Code.upstream_timeout: "timeout_error",
        Code.upstream_rejected: "invalid_image invalid_image_format invalid_base64_image invalid_image_url "
        "image_too_large image_too_small image_parse_error image_file_too_large unsupported_image_media_type "
        "empty_image_file failed_to_download_image",
        Code.upstream_overloaded: "overloaded_error overloaded slow_down server_overloaded "
        "service_tier_capacity_exceeded capacity_exceeded",
        Code.upstream_rate_limited: "rate_limit_exceeded rate_limit_error rate_limited resource_exhausted "
        "too_many_requests too_many_requests_error queue_exceeded throttlingexception",
    }.items()
    for name in names.split()
}
_BY_MESSAGE: tuple[tuple[Code, re.Pattern[str]], ...] = (
    (
        Code.upstream_quota,
        re.compile(
            r"check your plan and billing|insufficient (credits|balance|quota)|credit balance is too low"
            r"|requires more credits|all available credits|run out of credits|spending limit"
        ),
    ),
    (
        Code.context_too_long,
        re.compile(
            r"max(imum)? context length|exceeds? the (model's )?context (window|length)|context (size|window) exceeded"
            r"|(prompt|input) is too long|exceeds? context limit|maximum prompt length|input token count"
            r"|exceeds? the (maximum|max|available) (number of (input )?tokens|context)|too large for model with"
            r"|reduce the length of the messages|too many (input )?tokens in the prompt"
            r"|`inputs` (tokens \+|must have less than)"
        ),
    ),
    (
        Code.content_filtered,
        re.compile(
            r"content management policy|content filtering policy|content exists risk|flagged as potentially"
            r"|(input|prompt|request) was flagged|requires moderation"
            r"|violat(es|ed|ing|ion of) (our|the) (usage|content) polic"
        ),
    ),
    (
        Code.unsupported_content,
        re.compile(
            r"support (image|audio|file|video) (input|content)|image_url is only supported|not a multimodal model"
            r"|(image|audio) input is not supported|unknown variant `(image_url|input_audio|file)`"
            r"|(does not|doesn't) support (images?|audio|vision)"
        ),
    ),
    (
        Code.upstream_unknown_model,
        re.compile(
            r"\bmodels?\b.{0,100}?(not found|does not exist|not exist|is not available|has been decommissioned)"
            r"|not a valid model|invalid model|unknown model|no endpoints found for"
        ),
    ),
    (Code.upstream_auth, re.compile(r"(incorrect|invalid) api key|api key (not valid|expired|was reported)")),
    (Code.upstream_overloaded, re.compile(r"\boverloaded\b|engine is currently busy|server busy|over capacity")),
    (Code.upstream_rate_limited, re.compile(r"rate limit|resource exhausted|too many requests")),
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
    498: Code.upstream_overloaded,
    502: Code.upstream_unavailable,
    503: Code.upstream_unavailable,
    504: Code.upstream_timeout,
    529: Code.upstream_overloaded,
}
_TELLING = frozenset({400, 402, 403, 404, 413, 422, 429, 500, 503})
"""The statuses whose errors may say more. A 401 that quotes a model's name is still about the key."""
_LATER = frozenset({Code.upstream_rate_limited, Code.upstream_overloaded, Code.upstream_unavailable})


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
    """An answer that is not a success. The body is quoted for the log only."""
    code = _STATUSES.get(status, Code.upstream_error)
    texts = _read(_decode(body))
    if status in _TELLING:
        code = _named(texts) or code
    retry_after = _retry_after(headers, texts) if code in _LATER else None
    return UpstreamFailure(code, detail=f"HTTP {status}: {_quote(body)}", retry_after=retry_after)


def read_error(error: bytes) -> UpstreamFailure:
    """An error object in the midst of a stream: its ``code`` may be a status, or a word that names one."""
    value = _decode(error)
    code = _named(_read(value))
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


def _read(error: Any) -> list[tuple[str, str]]:
    return list(islice(_texts("error", error, 0), _MOST_TEXTS))


def _named(texts: list[tuple[str, str]]) -> Code | None:
    for key, text in texts:
        if key in _NAMES and (code := _BY_NAME.get(text.lower())):
            return code
    message = "\n".join(_QUOTATION.split(text[:_CHARACTERS], 1)[0] for key, text in texts if key in _MESSAGES).lower()
    return next((code for code, pattern in _BY_MESSAGE if pattern.search(message)), None)


def _texts(key: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """The texts of an error, each with the field it stands in."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list) and depth < _DEPTH:
        for item in value:
            yield from _texts(key, item, depth + 1)
    elif isinstance(value, dict) and depth < _DEPTH:
        for name, item in value.items():
            if name in _WITHIN or isinstance(item, str):
                yield from _texts(name, item, depth + 1)


def _quote(body: bytes) -> str:
    return body[:_QUOTED_BYTES].decode("utf-8", "replace")


def _retry_after(headers: Mapping[str, str], texts: list[tuple[str, str]]) -> int | None:
    """Seconds. ``Retry-After`` is a number of them, or a date (RFC 9110, 10.2.3). Google says it in the error."""
    for key, text in texts:
        if key == "retryDelay" and (delay := _DELAY.fullmatch(text)):
            return min(int(delay[1]) + 1, _DAY)
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(int(value[:9]), _DAY)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return min(max(0, round(moment.timestamp() - time.time())), _DAY)
