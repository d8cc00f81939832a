"""Whether it takes questions, from whom, and with its store."""

from collections.abc import Iterator

from .exchange import Deployment
from .finding import Finding, note, ok, problem, warning
from .network import is_this_machine

CHECK = "access"

_NOBODY = b'{"messages": []}'
"""No model is asked for it, whoever may ask."""
_CREDENTIALS = ("authorization", "x-api-key", "cookie")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Raises :class:`Unreachable`."""
    health = deployment.get("/healthz")
    if health.status == 503:
        yield warning("health", "it is about to stop", "look again when the new one is there", why="It was told to.")
    yield from _store(deployment)
    yield from _access(deployment)


def _store(deployment: Deployment) -> Iterator[Finding]:
    answer = deployment.get("/api/chat?offset=-1&runId=tokenwire-doctor")
    if answer.code == "unknown_run":
        yield ok("store", "it answers")
    elif answer.code == "store_unavailable":
        yield problem(
            "store",
            "it is away",
            "tokenwire doctor --config tokenwire.toml, on the machine that serves",
            why="Nothing can be asked, and nobody can come back to an answer.",
        )
    elif answer.status == 401 and _with_credential(deployment):
        yield problem(
            CHECK,
            "the credential in --header is refused",
            "a key:  tokenwire keys list, with the store that serves: whether it is there, has expired or was revoked",
            "a JWT:  look at its issuer, its audience and when it ends",
            why="Whoever has it cannot ask. The store was not looked at.",
        )
    elif answer.status == 401:
        yield note("store", "not looked at: it wants to know who asks", "--header 'Authorization: Bearer tw_…'")
    else:
        yield warning(
            "store",
            f"a join was answered with {answer.status}",
            "look whether the proxy has rules of its own for /api/chat",
            why="404 with a code of tokenwire's was expected.",
        )


def _with_credential(deployment: Deployment) -> bool:
    return any(name.lower() in _CREDENTIALS for name in deployment.headers)


def _access(deployment: Deployment) -> Iterator[Finding]:
    shown = {name: value for name, value in deployment.headers.items() if name.lower() not in _CREDENTIALS}
    shown["content-type"] = "application/json"
    answer = deployment.ask("POST", "/api/chat", shown, _NOBODY)
    if answer.status == 401:
        yield ok(CHECK, "a question of nobody known is refused")
    elif answer.status == 422 and is_this_machine(deployment.host):
        yield note(CHECK, "everybody who reaches it may ask")
    elif answer.status == 422:
        yield warning(
            CHECK,
            "everybody who reaches it may ask",
            "[auth]",
            "keys = true",
            why="They spend what your keys are good for. If that is meant so, set [rates.per_ip] and budgets.",
        )
    else:
        yield warning(
            CHECK,
            f"a question was answered with {answer.status}",
            "look whether the proxy lets POST through to /api/chat",
            why="401 or 422 was expected.",
        )
