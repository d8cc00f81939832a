"""Leases: which process writes a log, and who ends the logs of one that died.

A process registers with the store under a name of its own and renews that within a third of the lease's time. It
holds, by name and epoch, every log it made. A process that was not heard of for the whole of the time is taken for
dead: whoever notices ends its logs with one terminal event and raises their epoch, in one step of the store's, so
that it happens once, and a dead process that turns out to have been asleep can append nothing after it.
"""

import secrets
from typing import NamedTuple

from .. import events
from ..errors import Code, Failure
from .log import RunInfo


class Lease(NamedTuple):
    """A writer's right to append to one log. The store compares it with its own record on every append."""

    worker: str
    """The process, by a name that no other ever has."""
    epoch: int
    """Raised by whoever ends the log in its writer's stead."""
    era: str
    """The store's own life: a store that lost everything begins another."""


def worker_name() -> str:
    """A new process's name."""
    return secrets.token_hex(8)


def obituary(info: RunInfo, code: Code = Code.producer_lost) -> bytes:
    """The terminal record of a run whose process is gone."""
    failure = Failure(code)
    return events.encode(events.RunError(failure.message, failure.code, info.thread_id, info.run_id))
