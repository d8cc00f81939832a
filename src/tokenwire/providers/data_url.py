"""Media as data URLs (RFC 2397): out of them for the APIs that do not take one for an address, and into them."""

import mimetypes

from ..errors import Code, UpstreamFailure
from ..messages import MIME_TYPES, Media


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


def data_url(part: Media) -> str:
    """The data of a part as an address."""
    return f"data:{_mime_type(part)};base64,{part.data}"


def filename(part: Media) -> str:
    """A name for a part that has none: OpenAI goes by its extension."""
    return part.kind + (mimetypes.guess_extension(_mime_type(part).partition(";")[0].strip()) or "")


def _mime_type(part: Media) -> str:
    return part.mime_type or MIME_TYPES[part.kind]
