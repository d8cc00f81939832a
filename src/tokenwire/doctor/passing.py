"""Whether the headers that hooks send, and those that a server answers with, pass whatever is in between."""

from collections.abc import Iterator

from .exchange import Deployment
from .finding import Finding, note, ok, problem, warning
from .probing import first_event, is_probe, probe

CHECK = "headers"

_SENT = {
    "Authorization": "Bearer tokenwire-doctor",
    "Last-Event-ID": "tokenwire-doctor",
    "X-Run-Id": "tokenwire-doctor",
}
_WHY = {
    "authorization": "Nobody can show who they are.",
    "last-event-id": "A client that comes back is asked to pay for the whole answer again.",
    "x-run-id": "A run cannot be told from another.",
}
_FROM_PROXIES = ("x-forwarded-for", "forwarded")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Raises :class:`Unreachable`."""
    answer = probe(deployment, **{name.replace("-", "_"): value for name, value in _SENT.items()})
    told = first_event(answer)
    arrived = told.get("arrived")
    if not is_probe(answer) or not isinstance(arrived, list):
        return
    lost = [name for name in _SENT if name.lower() not in arrived]
    for name in lost:
        yield problem(
            CHECK,
            f"{name} does not arrive",
            f"nginx:  proxy_set_header {name} $http_{name.lower().replace('-', '_')};",
            f"others: let {name} pass",
            why=_WHY[name.lower()],
        )
    if told.get("http") == "1.0":
        yield warning(
            CHECK,
            "a proxy asks in HTTP/1.0",
            "nginx:  proxy_http_version 1.1;",
            why="An answer that breaks off looks whole to the browser, and WebSockets do not pass.",
        )
    if "x-request-id" not in answer.headers:
        yield note(CHECK, "X-Request-Id is taken from answers", why="It finds a user's request in the log.")
    if not lost:
        yield ok(CHECK, f"{', '.join(_SENT)} arrive")
    spoken = [name for name in _FROM_PROXIES if name in arrived]
    if spoken:
        yield note(
            CHECK,
            f"a proxy says whom it speaks for ({', '.join(spoken)})",
            "[server]",
            'trusted_proxies = ["127.0.0.1/32"]   # the address it asks from',
            why="Without that, all its users share one address in the limits per IP.",
        )
