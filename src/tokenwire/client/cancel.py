"""Ending a run on the server, which leaving it does only after a while."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from .http import HttpCall
from .options import FetchOptions, Headers, Limits, request_headers

_ROUTE = re.compile(r"(/(ndjson|rais|tanstack|ws))?/?$")
_PATIENCE = Limits(connect=2.0, silence=2.0)


async def cancel_run(url: str, run_id: str, headers: Headers = ()) -> None:
    """Stops a run of a tokenwire server at once, and its model with it.

    :param url: where the run was asked for: ``…/api/chat``, or one of the routes below it.

    Raises :class:`HttpError`, which is a 404 where the server does not know the run, and
    :class:`ConnectionLostError`.
    """
    parts = urlsplit(url)
    path = f"{_ROUTE.sub('', parts.path)}/runs/{quote(run_id, safe='')}/cancel"
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    target = parts._replace(scheme=scheme, path=path, query="", fragment="").geturl()
    await HttpCall("POST", target, request_headers({}, headers), None, FetchOptions(limits=_PATIENCE), None).document()
