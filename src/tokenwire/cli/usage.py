"""``tokenwire usage``."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from ..accounts.contract import Selection
from ..errors import ConfigError, Refusal
from ..runs.address import StoreAddress, parse_store

_DESCRIPTION = """\
Show what has been used: runs, tokens and dollars, as the ledger in the store has them.

Days are those of UTC. Runs in the memory of a server are not to be seen from here: ask its GET /usage.
"""

_EPILOG = """\
examples:
  tokenwire usage --config tokenwire.toml
  tokenwire usage --store sqlite:///runs.db --since 2026-11-01 --until 2026-12-01 --by principal
  tokenwire usage --config tokenwire.toml --by key --format csv > usage.csv
  tokenwire usage --config tokenwire.toml --since 2026-11-21 --rows --format json
"""


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "usage",
        help="show what has been used",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file that names the store")
    parser.add_argument("--store", metavar="URL", help="sqlite:///FILE or redis://HOST:PORT; or set TOKENWIRE_STORE")
    parser.add_argument("--since", type=_moment, metavar="DAY", help="runs that began then (2026-11-21) or later")
    parser.add_argument("--until", type=_moment, metavar="DAY", help="runs that began before then")
    parser.add_argument("--principal", metavar="NAME", help="runs of one principal")
    parser.add_argument("--key", metavar="ID", help="runs that were asked with one key, by its public part")
    parser.add_argument("--model", metavar="NAME", help="runs that asked one model")
    parser.add_argument(
        "--by", choices=("day", "principal", "model", "key"), default="day", help="a line for each (default: day)"
    )
    parser.add_argument(
        "--rows", action="store_true", help="each run by itself, and nothing added up; in --format csv or json"
    )
    parser.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="how it is shown (default: table)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the report."""
    if options.rows and options.format == "table":
        raise ConfigError("--rows: name a --format, csv or json")
    address = _store(options)
    selection = Selection(options.principal, options.key, options.model, options.since, options.until)
    try:
        sys.stdout.write(asyncio.run(_report(address, selection, options)))
    except Refusal as away:
        raise ConfigError(f"{address} cannot be read: {away.detail or away.message}") from None
    return 0


def _store(options: argparse.Namespace) -> StoreAddress:
    from ..config.load import read

    named = options.store or os.environ.get("TOKENWIRE_STORE")
    if named is None and options.config is not None:
        named = read(options.config).store
    address = parse_store(named or "memory")
    if not address.shared:
        raise ConfigError("--store: name the store that the servers share, or a --config that does")
    if address.path is not None and not address.path.exists():
        raise ConfigError(f"{address}: there is no such file")
    return address


async def _report(address: StoreAddress, selection: Selection, options: argparse.Namespace) -> str:
    from ..accounts.address import open_accounts
    from ..ledger.formats import listed, rendered
    from ..ledger.report import report

    accounts = await open_accounts(address)
    try:
        if options.rows:
            return listed([entry async for entry in accounts.entries(selection)], options.format)
        return rendered(await report(accounts.entries(selection), options.by), options.format)
    finally:
        await accounts.close()


def _moment(text: str) -> float:
    from ..ledger.report import parse_moment

    try:
        return parse_moment(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-11-21, or a moment in ISO 8601") from None
