"""The trial that most scenarios are made of: one question through a proxy with a plan."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar, get_args

from tokenwire.testing import ChaosProxy, Cut, Fault
from tokenwire.testing.fault import Ending, Side

from .arena import AT_ONCE, Arena
from .reader import Reader
from .stage import Stage
from .tally import Outcome
from .wire import Wire

ENDINGS: tuple[Ending, ...] = get_args(Ending)

_ATTEMPTS = 25

T = TypeVar("T")


class Case(NamedTuple):
    """A wire, and what happens to its connections, in turn."""

    wire: Wire
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"{self.wire.name}, {', '.join(map(str, self.faults))}"


def every_byte(sizes: Mapping[Wire, int], towards: Side, *, in_turn: bool = False) -> list[Case]:
    """A cut after each byte of what these wires carry, by FIN and by RST; those nearest to the end are last.

    :param in_turn: by FIN after one byte, by RST after the next.
    """
    return [
        Case(wire, (Cut(size - left, ending, towards),))
        for left in range(max(sizes.values()), -1, -1)
        for wire, size in sizes.items()
        if left <= size
        for ending in (ENDINGS[left % 2 :][:1] if in_turn else ENDINGS)
    ]


async def play_cases(arena: Arena, stage: Stage, cases: Sequence[Case], at_once: int = AT_ONCE) -> None:
    """Asks a question for each of a sample of the cases."""

    async def trial(case: Case) -> Outcome:
        question = stage.question()
        async with ChaosProxy(stage.url, case.faults) as proxy:
            reading = await Reader(case.wire, proxy.url).ask(question)
        return Outcome(proxy.traffic.faults, stage.oracle.judge([reading], stage.asked(question)))

    await arena.play(cases, insistent(trial), at_once)


def insistent(trial: Callable[[T], Awaitable[Outcome]]) -> Callable[[T], Awaitable[Outcome]]:
    """Plays a trial again, as often as makes sense, when its fault did not happen.

    Now and then an answer's events arrive in fewer, larger pieces, and it has no byte at the place of the fault.
    """

    async def played(case: T) -> Outcome:
        for _ in range(_ATTEMPTS):
            outcome = await trial(case)
            if outcome.faults or outcome.findings:
                break
        return outcome

    return played
