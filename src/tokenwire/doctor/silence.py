"""Whether a stream survives as much silence as an answer may have."""

from collections.abc import Iterator

from .exchange import Deployment, Unreachable
from .finding import Finding, note, ok, problem
from .probing import SLOW_PATH, first_event, is_probe

CHECK = "silence"

_PATIENCE = 300.0


def check(deployment: Deployment) -> Iterator[Finding]:
    """Takes two heartbeats."""
    try:
        answer = deployment.get(SLOW_PATH, seconds=_PATIENCE)
    except Unreachable as away:
        yield _cut(f"no stream came: {away}")
        return
    if answer.status == 200 and not is_probe(answer):
        yield note(CHECK, "not looked at: there is no probe")
    elif not is_probe(answer) or not answer.whole or answer.body.count(b"data: ") < 2:
        yield _cut(f"a stream with a heartbeat every {first_event(answer).get('heartbeat', 0):g} s was cut off")
    else:
        yield ok(CHECK, f"a stream may be silent for {first_event(answer).get('heartbeat', 0):g} s")


def _cut(seen: str) -> Finding:
    return problem(
        CHECK,
        seen,
        "nginx:      proxy_read_timeout 60s;   # for /api/chat, longer than the heartbeat",
        "tokenwire:  [runs] heartbeat_seconds = 5   # shorter than the proxy's patience",
        why="A model that thinks for longer loses its reader.",
    )
