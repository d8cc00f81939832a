"""What a framework's exception says of a model's refusal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from ..errors import UpstreamFailure
from ..providers.refusal import read_error, read_refusal

_DEPTH = 6


@contextmanager
def model_refusals() -> Iterator[None]:
    """Raises :class:`UpstreamFailure` in place of what the SDKs of model providers raise for an HTTP answer.

    They agree on ``status_code`` and ``body``, and frameworks wrap them. What is of another kind passes through.
    """
    try:
        yield
    except Exception as error:
        if (failure := _failure(error)) is None:
            raise
        raise failure from error


def _failure(error: BaseException) -> UpstreamFailure | None:
    """Of the innermost exception that knows: it has the provider's own words."""
    failure = None
    found: BaseException | None = error
    for _ in range(_DEPTH):
        if found is None:
            break
        failure = _read(found) or failure
        found = getattr(found, "original_exception", None) or found.__cause__
    return failure


def _read(error: BaseException) -> UpstreamFailure | None:
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    if isinstance(status, int):
        response = getattr(error, "response", None)
        headers = getattr(error, "headers", None) or getattr(response, "headers", None)
        return read_refusal(status, headers if isinstance(headers, Mapping) else {}, _json(body or str(error)))
    return read_error(_json(body)) if isinstance(body, Mapping) else None


def _json(body: Any) -> bytes:
    return msgspec.json.encode(body, enc_hook=str)
