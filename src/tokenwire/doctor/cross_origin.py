"""Whether a front end that is served from elsewhere may ask."""

from collections.abc import Iterator

from .exchange import Answer, Deployment, Unreachable
from .finding import Finding, ok, problem, warning

CHECK = "cors"

_HEADERS = "authorization, content-type, last-event-id, x-run-id"
_STRANGER = "https://tokenwire-doctor.invalid"


def check(deployment: Deployment, origin: str) -> Iterator[Finding]:
    """Of an origin that should be allowed, and of one that nobody can have."""
    try:
        told, stranger = _preflight(deployment, origin), _preflight(deployment, _STRANGER)
    except Unreachable as away:
        yield problem(CHECK, f"a preflight failed: {away}", why="A browser asks it before every question.")
        return
    allowed = told.headers.get("access-control-allow-origin")
    if allowed is None:
        yield problem(
            CHECK,
            f"{origin} may not ask (status {told.status})",
            "[cors]",
            f'origins = ["{origin}"]   # to the letter, without a slash at its end',
            "and let OPTIONS through the proxy",
            why="The browser keeps every answer from the page.",
        )
    elif allowed != origin or "," in allowed:
        yield problem(
            CHECK,
            f"{origin} is answered with {allowed}",
            "leave CORS to tokenwire: take add_header Access-Control-… out of the proxy",
            why="A browser takes exactly one origin, and none but the page's own where credentials are sent.",
        )
    elif missing := _missing(told):
        yield problem(
            CHECK,
            f"{origin} may not send {', '.join(missing)}",
            "leave CORS to tokenwire: take add_header Access-Control-… out of the proxy",
            why="The hooks send them.",
        )
    else:
        yield ok(CHECK, f"{origin} may ask")
    if stranger.headers.get("access-control-allow-origin") in ("*", _STRANGER):
        yield warning(
            CHECK,
            "every origin may ask",
            "take Access-Control-Allow-Origin out of the proxy; name origins in [cors]",
            why="Every page of the web can ask in its visitor's name.",
        )


def _preflight(deployment: Deployment, origin: str) -> Answer:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": _HEADERS,
    }
    return deployment.ask("OPTIONS", "/api/chat", headers)


def _missing(answer: Answer) -> list[str]:
    allowed = {name.strip().lower() for name in answer.headers.get("access-control-allow-headers", "").split(",")}
    return [name for name in _HEADERS.split(", ") if name not in allowed]
