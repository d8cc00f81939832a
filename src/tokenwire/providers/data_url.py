"""Media whose address is a data URL (RFC 2397), for the APIs that do not take one for an address."""

from ..errors import Code, UpstreamFailure
from ..messages import Media


def unwrapped(part: Media) -> Media:
    """The same with the data itself, where its address is a data URL.

    Raises :class:`UpstreamFailure` (``unsupported_content``) for one that is not base64.
    """
    scheme, _, rest = (part.url or "").partition(":")
    if scheme.lower() != "data":
        return part
    head, _, data = rest.partition(",")
    if not head.endswith(";base64"):
        raise UpstreamFailure(Code.unsupported_content, "This model takes data URLs only as base64.")
    return Media(part.kind, data=data, mime_type=head.partition(";")[0] or part.mime_type, detail=part.detail)
