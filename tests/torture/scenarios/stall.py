"""Connections on which nothing moves for longer than the time between two heartbeats."""

from dataclasses import replace

from tokenwire.testing import Stall
from tokenwire.testing.fault import Ending

from ..arena import Arena
from ..scenario import scenario
from ..stage import REPLY, staged
from ..trial import Case, play_cases
from ..wire import WIRES

# the server's heartbeat is 0.1 s: one comes before the head is sent, and one within most pauses
_THOUGHTFUL = replace(REPLY, first_delay=0.15, interval=0.12)
_STALL = 0.3
_EVERY = 23
_AT_ONCE = 96


@scenario
async def stall_answer(arena: Arena) -> None:
    """A slow answer, heartbeats and all, stops for longer than they take, then goes on or is cut."""
    endings: list[Ending | None] = [None, "close", "reset"]
    async with staged(arena.folder, _THOUGHTFUL) as stage:
        cases = [
            Case(wire, (Stall(place, _STALL, ending),))
            for wire in WIRES
            for place in range(0, await stage.record(wire), _EVERY)
            for ending in endings
        ]
        await play_cases(arena, stage, cases, _AT_ONCE)
