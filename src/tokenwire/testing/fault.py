"""What goes wrong with a connection through a `ChaosProxy`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["client", "server"]

Ending: TypeAlias = Literal["close", "reset"]
"""How a side learns of the end: by a FIN, or by an RST."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends, for both sides, once exactly `after` bytes have passed towards one.

    With `after=0` it ends in place of the first byte: what made the other side speak has arrived. A reset overtakes
    what its receiver has left unread for so long that the system still holds it back on this side.
    """

    after: int
    ending: Ending = "close"
    towards: Side = "client"

    def __post_init__(self) -> None:
        _check(self.after)


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more passes towards a side once exactly `after` bytes have, until the stall is over.

    The other direction goes on. Whoever sends into the stall is held back as by a reader who does not read.
    """

    after: int
    seconds: float | None = None
    """How long. None: until `ChaosProxy.release`, which ends the others early as well."""
    ending: Ending | None = None
    """What follows. None: the rest passes."""
    towards: Side = "client"

    def __post_init__(self) -> None:
        _check(self.after)


@dataclass(frozen=True, slots=True)
class Refuse:
    """The connection ends as soon as it is accepted; the server never hears of it."""

    ending: Ending = "close"


Fault: TypeAlias = Cut | Stall | Refuse

Plan: TypeAlias = Callable[[int], Fault | None] | Iterable[Fault | None]
"""The fault of each connection: called with 1 for the first, or taken in turn and none after the last."""


def _check(after: int) -> None:
    if after < 0:
        raise ValueError("a fault's place is not negative")
