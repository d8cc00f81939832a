"""Connections that end too early."""

from tokenwire.testing import Cut, Fault, Refuse

from ..arena import Arena
from ..scenario import scenario
from ..stage import staged
from ..trial import ENDINGS, Case, every_byte, play_cases
from ..wire import WIRES, Wire


@scenario
async def cut_answer(arena: Arena) -> None:
    """The answer is cut after each of its bytes, its head included, by FIN and by RST."""
    async with staged(arena.folder) as stage:
        sizes = {wire: await stage.record(wire) for wire in WIRES}
        await play_cases(arena, stage, every_byte(sizes, "client"))


@scenario
async def cut_question(arena: Arena) -> None:
    """The question is cut after each of its bytes, so that the server may have it or not."""
    async with staged(arena.folder) as stage:
        sizes = {wire: await stage.record(wire, "server") for wire in WIRES}
        await play_cases(arena, stage, every_byte(sizes, "server"))


@scenario
async def cut_again(arena: Arena) -> None:
    """The answer is cut, and what follows is cut or refused as well, two to four times by chance."""
    async with staged(arena.folder) as stage:
        sizes = {wire: await stage.record(wire) for wire in WIRES}

        def chance(wire: Wire) -> Fault:
            ending = arena.rng.choice(ENDINGS)
            if arena.rng.random() < 0.1:
                return Refuse(ending)
            return Cut(arena.rng.randrange(sizes[wire]), ending)

        cases = []
        for _ in range(1500):
            wire = arena.rng.choice(WIRES)
            cases.append(Case(wire, tuple(chance(wire) for _ in range(arena.rng.randint(2, 4)))))
        await play_cases(arena, stage, cases)
