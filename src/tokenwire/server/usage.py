"""``GET /usage``: what the asker's own runs have used."""

from starlette.datastructures import QueryParams
from starlette.responses import Response

from ..accounts.contract import Accounts, Selection
from ..errors import Code, Refusal
from ..ledger.formats import CONTENT_TYPES, FORMATS, rendered
from ..ledger.report import BY, parse_moment, report


async def usage_response(accounts: Accounts, principal: str, query: QueryParams) -> Response:
    """The principal's usage, selected and shown by a query in the words of ``tokenwire usage``.

    Raises :class:`Refusal`: ``bad_request``, and ``store_unavailable`` where the ledger cannot be reached.
    """
    by = next((by for by in BY if by == query.get("by", "day")), None)
    form = next((form for form in FORMATS if form == query.get("format", "json")), None)
    if by is None or form is None:
        raise Refusal(Code.bad_request, f"by is one of {', '.join(BY)}, format one of {', '.join(FORMATS)}.")
    selection = Selection(
        principal, query.get("key"), query.get("model"), _moment(query, "since"), _moment(query, "until")
    )
    text = rendered(await report(accounts.entries(selection), by), form)
    return Response(text, media_type=CONTENT_TYPES[form], headers={"cache-control": "no-store"})


def _moment(query: QueryParams, name: str) -> float | None:
    if name not in query:
        return None
    try:
        return parse_moment(query[name])
    except ValueError:
        raise Refusal(Code.bad_request, f"{name} is a day such as 2026-11-21, or a moment in ISO 8601.") from None
