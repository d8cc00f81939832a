"""``python -m tests.torture``: plays the scenarios and prints what came of them."""

import argparse
import asyncio
import resource
import sys

from . import scenarios as scenarios
from .scenario import SCENARIOS, run
from .tally import Tally, table


def main() -> int:
    """The exit code is 1 when anything went wrong."""
    options = _options()
    # a thousand readers through a proxy are three thousand sockets here
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    tallies = asyncio.run(_run_all(options))
    sys.stdout.write(f"\nseed {options.seed}\n{table(tallies)}\n")
    return 0 if all(tally.good for tally in tallies) else 1


async def _run_all(options: argparse.Namespace) -> list[Tally]:
    tallies = []
    for name in options.only or SCENARIOS:
        tally = await run(name, options.seed, options.faults)
        verdict = tally.note or ("good" if tally.good else "WRONG")
        sys.stdout.write(f"{name}: {tally.trials:,} trials, {tally.faults:,} faults: {verdict}\n")
        sys.stdout.flush()
        tallies.append(tally)
    return tallies


def _options() -> argparse.Namespace:
    described = "\n".join(f"  {name}: {(play.__doc__ or '').splitlines()[0]}" for name, play in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description="Breaks everything there is to break, and tells what readers lost by it.",
        epilog=f"scenarios:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--faults", type=int, metavar="N", help="at most N trials a scenario (default: all)")
    parser.add_argument("--only", choices=SCENARIOS, action="append", metavar="SCENARIO", help="may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="what chance depends on (default: %(default)s)")
    return parser.parse_args()


sys.exit(main())
