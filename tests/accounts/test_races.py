"""Processes that race for the last unit do not both get it, and one that is killed keeps nothing."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tokenwire.accounts.address import open_accounts, open_records
from tokenwire.accounts.claim import Slot
from tokenwire.runs.address import parse_store

from .racer import LIMIT
from .stores import SHARED, Place

pytestmark = [pytest.mark.parametrize("kind", SHARED), pytest.mark.timeout(60)]


@contextmanager
def racer(place: Place, what: str, *, tries: int, seconds: float = 36_000) -> Iterator["subprocess.Popen[str]"]:
    """A process that is ready to race."""
    command = [sys.executable, "-m", "tests.accounts.racer", place.address, what, str(tries), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert hear(process) == "ready"
            yield process
        finally:
            process.kill()


def hear(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def race(place: Place, what: str, *, tries: int) -> int:
    """How often two processes were granted it, together."""
    with ExitStack() as stack:
        racers = [stack.enter_context(racer(place, what, tries=tries)) for _ in range(2)]
        for process in racers:
            go(process)
        return sum(int(hear(process)) for process in racers)


@pytest.mark.parametrize("what", ["rate", "slot", "budget"])
def test_two_processes_are_granted_exactly_what_there_is(place: Place, what: str) -> None:
    assert race(place, what, tries=2 * LIMIT) == LIMIT


def test_of_two_processes_one_takes_a_record(place: Place) -> None:
    async def put() -> None:
        records = await open_records(parse_store(place.address))
        for number in range(100):
            await records.put(f"ticket:{number}", b"alice", 600)
        await records.close()

    asyncio.run(put())
    assert race(place, "record", tries=100) == 100


def test_the_slots_of_a_killed_process_free_themselves(place: Place) -> None:
    async def take_all() -> int:
        """How often the slots were found taken before they were not."""
        accounts = await open_accounts(parse_store(place.address))
        refused = 0
        while (await accounts.take([Slot("raced", LIMIT, "other", 60)])).refused is not None:
            refused += 1
        await accounts.close()
        return refused

    with racer(place, "slot", tries=LIMIT, seconds=1.5) as process:
        go(process)
        assert hear(process) == str(LIMIT)
        process.kill()
        process.wait()
        assert asyncio.run(take_all()) > 0
