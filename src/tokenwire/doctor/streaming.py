"""Whether what is streamed arrives as a stream."""

import time
from collections.abc import Iterator

from ..server.probe import EVENTS, INTERVAL
from .exchange import Answer, Deployment
from .finding import Finding, note, ok, problem, warning
from .probing import first_event, is_probe, probe

CHECK = "streaming"

_TRIES = 3
_WHOLE = (EVENTS - 1) * INTERVAL
_SKEW_SECONDS = 5.0


def check(deployment: Deployment) -> Iterator[Finding]:
    """Raises :class:`Unreachable`."""
    answer = probe(deployment, accept_encoding="gzip, br, zstd")
    if not is_probe(answer):
        yield note(
            CHECK,
            f"not looked at: there is no probe (status {answer.status})",
            why="An older tokenwire, or a proxy that drops the query.",
        )
        return
    packing = answer.headers.get("content-encoding", "identity")
    if packing != "identity":
        yield warning(
            CHECK,
            f"somebody on the way packs the stream ({packing})",
            "nginx:  gzip off;   # where /api/chat is passed on; or leave text/event-stream out of gzip_types",
            "Caddy:  @others not path /api/chat*",
            "        encode @others gzip",
            why="Single tokens do not get smaller by it, and most packers wait for more: tokens come late, in heaps.",
        )
    if "no-transform" not in answer.headers.get("cache-control", ""):
        yield warning(
            CHECK,
            "somebody on the way changes Cache-Control",
            "let it pass as it is: no-cache, no-transform",
            why="It is what keeps others from packing and holding back.",
        )
    # a machine that was busy elsewhere for a moment sees a stream in one piece: once is no proof
    spread, tries = 0.0, 0
    while spread < _WHOLE / 2 and tries < _TRIES:
        spread, tries = max(spread, _spread(probe(deployment))), tries + 1
    if spread < _WHOLE / 2:
        yield problem(
            CHECK,
            f"{EVENTS} events that were sent within {_WHOLE:.1f} s came at once",
            "nginx:   proxy_buffering off; proxy_http_version 1.1; gzip off;   # where /api/chat is passed on",
            "Caddy:   flush_interval -1   # in the block of reverse_proxy",
            "Apache:  flushpackets=on   # at the end of ProxyPass",
            why="A proxy holds the answer back: the user waits for the end, and a heartbeat never comes.",
        )
    elif packing == "identity":
        yield ok(CHECK, f"{EVENTS} events came one by one, within {spread:.1f} s")
    yield from _clock(probe(deployment))


def _spread(answer: Answer) -> float:
    return answer.pieces[-1].at - answer.pieces[0].at if answer.pieces else 0.0


def _clock(answer: Answer) -> Iterator[Finding]:
    told = first_event(answer).get("time")
    if not isinstance(told, int | float):
        return
    sent = answer.pieces[0].at - time.monotonic() + time.time()
    if abs(sent - told) > _SKEW_SECONDS:
        yield warning(
            "clock",
            f"its clock and that of this machine differ by {abs(sent - told):.0f} s",
            "let both keep time: chrony, or systemd-timesyncd",
            why="Keys, tokens and budgets begin and end by the clock.",
        )
    else:
        yield ok("clock", "it agrees with this machine's")
