"""A process that takes what it can get: ``python -m tests.accounts.racer STORE WHAT COUNT SECONDS``.

It says ``ready``, waits for a line, tries so many times and says how often it was granted; then it stays until its
input ends.
"""

import asyncio
import os
import sys
import time

from tokenwire.accounts.address import open_accounts, open_records
from tokenwire.accounts.claim import Budget, Claim, Rate, Slot
from tokenwire.runs.address import parse_store

LIMIT = 40


def claim(what: str, number: int, seconds: float) -> Claim:
    """What is taken in one of the tries."""
    if what == "rate":
        return Rate("raced", LIMIT, seconds)
    if what == "slot":
        return Slot("raced", LIMIT, f"{os.getpid()} {number}", seconds)
    return Budget("raced", LIMIT, time.time() + seconds, 1)


async def race(store: str, what: str, tries: int, seconds: float) -> None:
    address = parse_store(store)
    accounts = await open_accounts(address)
    records = await open_records(address)
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    granted = 0
    for number in range(tries):
        if what == "record":
            granted += await records.take(f"ticket:{number}") is not None
        else:
            granted += (await accounts.take([claim(what, number, seconds)])).refused is None
    print(granted, flush=True)  # noqa: T201
    sys.stdin.readline()


if __name__ == "__main__":
    _, store, what, tries, seconds = sys.argv
    asyncio.run(race(store, what, int(tries), float(seconds)))
