"""A running deployment, examined from where its users are. No model is asked, and nothing is changed."""

from collections.abc import Iterator

from ..errors import ConfigError
from . import answering, cross_origin, line, passing, silence, streaming, web_socket
from .exchange import Answer, Deployment, Unreachable
from .finding import Finding, problem


def examine(deployment: Deployment, *, origin: str | None = None, slow: bool = False) -> Iterator[Finding]:
    """What each check finds.

    :param origin: of a front end that is served from elsewhere.
    :param slow: waits, too, for as long as an answer may be silent.
    :raises ConfigError: where no tokenwire answers.
    """
    try:
        health = deployment.get("/healthz")
    except Unreachable as away:
        raise ConfigError(
            f"{deployment.url} cannot be reached: {away}; is that its address, and does it run?"
        ) from None
    if health.code == "forbidden_origin":
        raise ConfigError(f"{deployment.url} is not known there by this name: add {deployment.host} to [server] hosts")
    if not isinstance(health.json, dict) or health.json.get("status") not in ("ok", "leaving"):
        raise ConfigError(_somebody_else(f"{deployment.url}{deployment.prefix}/healthz", health))
    for check in (line.check, answering.check, streaming.check, passing.check, web_socket.check):
        try:
            yield from check(deployment)
        except Unreachable as away:
            yield problem(
                check.__module__.rpartition(".")[2],
                f"a connection failed: {away}",
                "try again; if it stays so, look into the log of the proxy",
                why="Those of your users fail likewise.",
            )
    if origin is not None:
        yield from cross_origin.check(deployment, origin)
    if slow:
        yield from silence.check(deployment)


def _somebody_else(url: str, answer: Answer) -> str:
    if 300 <= answer.status < 400 and "location" in answer.headers:
        return f"{url} leads to {answer.headers['location']!r}: give the address that this is at"
    if answer.status in (502, 503, 504):
        return (
            f"{url} is answered by a proxy ({answer.status}), which does not reach tokenwire: "
            "look whether that runs, and at the address that the proxy asks"
        )
    return (
        f"{url} is no tokenwire's (status {answer.status}): "
        "give the address of its page, with the prefix it is mounted at"
    )
