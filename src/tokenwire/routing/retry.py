"""What follows when a target has failed before it said anything. Pure."""

from collections.abc import Callable

from ..errors import Code, Failure, UpstreamFailure
from .plan import Plan, Turn

BASE_SECONDS = 0.25
"""The longest that the first retry waits; both of the usual two fit into the second that an HTTP status waits."""
CAP_SECONDS = 8.0

_TRANSIENT = frozenset(
    {
        Code.upstream_unavailable,
        Code.upstream_overloaded,
        Code.upstream_timeout,
        Code.upstream_rate_limited,
        Code.upstream_truncated,
    }
)


def is_final(failure: Failure) -> bool:
    """Whether nobody else is asked: a filter's word stands, and what is wrong here is wrong with everybody."""
    return failure.code is Code.content_filtered or not isinstance(failure, UpstreamFailure)


def is_transient(failure: Failure, status: int) -> bool:
    """Whether it may pass by itself.

    :param status: that of the response. An error without a name is the server's own from 500 on, and in a stream.
    """
    if failure.code is Code.upstream_error:
        return status == 200 or status >= 500
    return failure.code in _TRANSIENT


def backoff(asked: int, random: Callable[[], float]) -> float:
    """Seconds to wait after so many failures in a row: exponential, with full jitter."""
    return random() * min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(asked - 1, 16))


def replan(
    plan: Plan,
    failed: Turn,
    failure: Failure,
    *,
    status: int,
    now: float,
    deadline: float,
    random: Callable[[], float],
) -> Plan:
    """What is left of a plan after one of its turns has failed.

    The others come first, at once. The same target comes again only after a failure that may pass by itself, after a
    wait that grows and is at least as long as it asked for, and not after ``deadline``.
    """
    if is_final(failure):
        return ()
    others = tuple(turn for turn in plan if turn is not failed)
    if failed.asked >= failed.choice.retries or not is_transient(failure, status):
        return others
    asked = failed.asked + 1
    earliest = now + (failure.retry_after or 0) + backoff(asked, random)
    return (*others, Turn(failed.choice, asked, earliest)) if earliest <= deadline else others
