"""A failure as an HTTP answer, in a form the asking wire can show."""

from starlette.responses import Response

from ..errors import Code, Failure
from ..wire.base import Wire
from ..wire.tanstack import TANSTACK


def refusal_response(failure: Failure, wire: Wire = TANSTACK) -> Response:
    """The answer for a failure before the first byte of a stream. Without a known wire it is JSON."""
    content_type, body = wire.refusal(failure)
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    headers.update(failure.headers)
    if failure.retry_after is not None:
        headers["retry-after"] = str(failure.retry_after)
    if failure.code is Code.unauthenticated:
        headers["www-authenticate"] = "Bearer"
    if failure.code in (Code.request_too_large, Code.request_timeout):
        headers["connection"] = "close"  # the rest of the body is not worth reading
    return Response(body, failure.status, headers, content_type)
