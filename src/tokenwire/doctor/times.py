"""Times that have to fit those of whatever stands around the server."""

from collections.abc import Iterator

from ..config import Config
from .finding import Finding, note, ok, warning

CHECK = "times"

_PROXY_SECONDS = 60
"""After so long a silence nginx, HAProxy and most load balancers of clouds hang up, unless told otherwise."""
_DOCKER_SECONDS, _KUBERNETES_SECONDS = 10, 30
_AFTER_DRAIN = 4
"""Seconds that the last words and writes may take."""
_RELOAD_SECONDS = 30


def check(config: Config) -> Iterator[Finding]:
    """Of ``[runs]``."""
    found = list(_found(config))
    yield from found or [ok(CHECK, "they fit what usually stands around a server")]


def _found(config: Config) -> Iterator[Finding]:
    runs = config.runs
    stop = round(runs.drain_seconds + _AFTER_DRAIN)
    if stop > _DOCKER_SECONDS:
        find = warning if stop > _KUBERNETES_SECONDS else note
        yield find(
            CHECK,
            f"a stop may take {stop} s (runs.drain_seconds = {runs.drain_seconds:g})",
            f"systemd:     TimeoutStopSec={stop + 5}",
            f"Kubernetes:  terminationGracePeriodSeconds: {stop + 5}",
            f"Docker:      docker stop -t {stop + 5}, or stop_grace_period: {stop + 5}s",
            why=f"Docker kills after {_DOCKER_SECONDS} s, Kubernetes after {_KUBERNETES_SECONDS}: "
            "answers under way would be cut off.",
        )
    if runs.heartbeat_seconds >= _PROXY_SECONDS:
        yield warning(
            CHECK,
            f"streams may be silent for {runs.heartbeat_seconds:g} s",
            "[runs]",
            "heartbeat_seconds = 15",
            why=f"Most proxies hang up after {_PROXY_SECONDS} s of silence.",
        )
    if runs.keep_seconds < _RELOAD_SECONDS:
        yield warning(
            CHECK,
            f"answers are forgotten {runs.keep_seconds:g} s after their end",
            "[runs]",
            "keep_seconds = 300",
            why="Who reloads the page, or comes out of a tunnel, finds nothing.",
        )
