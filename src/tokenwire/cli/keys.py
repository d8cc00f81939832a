"""``tokenwire keys``."""

import argparse
import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..errors import ConfigError

_DESCRIPTION = """\
API keys, for the server that has [auth] keys = true in its configuration.

A key is shown once, when it is made. What is kept of it is a digest, in the store where the answers are; every
process that serves from there knows within a second what was changed here.
"""

_EPILOG = """\
examples:
  tokenwire keys create --config tokenwire.toml --name "Ann's laptop" --expires 90d
  tokenwire keys create --store sqlite:///runs.db --models fast,smart --requests-per-minute 20 --day-dollars 5
  tokenwire keys list --config tokenwire.toml
  tokenwire keys rotate tw_0aB1cD2eF3gH --config tokenwire.toml --overlap 24h
  tokenwire keys revoke tw_0aB1cD2eF3gH --config tokenwire.toml

environment:
  TOKENWIRE_STORE   the store, where --store does not name one; it wins over the configuration
  TOKENWIRE_SECRET  32 characters or more that the digests are made with; the server has to have the same. With it,
                    who can write to the store still cannot make keys; a change of it ends every key
"""

_LISTS = {
    "models": "models that may be asked",
    "personas": "personas that may be asked for",
    "tools": "tools that agents may use",
    "origins": "origins that a browser may ask from",
}
_COUNTS = {
    "requests-per-minute": "requests a minute",
    "tokens-per-minute": "tokens a minute",
    "concurrent-runs": "answers at once",
    "day-tokens": "tokens a day",
    "month-tokens": "tokens a month",
}
_AMOUNTS = {"day-dollars": "US dollars a day", "month-dollars": "US dollars a month"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_T = TypeVar("_T")


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "keys",
        help="make, list, rotate and revoke API keys",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    create = _action(actions, "create", "make a key, and show it this once", _create)
    create.add_argument("--name", default="", metavar="NOTE", help="a note, to know the key by")
    create.add_argument(
        "--principal",
        type=_name,
        metavar="NAME",
        help="whose runs and threads it sees; several keys may share one (default: the key's own)",
    )
    create.add_argument("--expires", type=_seconds, metavar="TIME", help="from now: 30d, 12h, 45m (default: never)")
    for name, what in _LISTS.items():
        kind = _origins if name == "origins" else _names
        create.add_argument(f"--{name}", type=kind, metavar="A,B", help=f"{what} (default: all)")
    for name, what in _COUNTS.items():
        create.add_argument(f"--{name}", type=_count, metavar="N", help=f"{what} (default: no bound of its own)")
    for name, what in _AMOUNTS.items():
        create.add_argument(f"--{name}", type=_amount, metavar="N", help=f"{what} (default: no bound of its own)")

    _action(actions, "list", "list the keys, without what opens anything", _list)

    revoke = _action(actions, "revoke", "end a key for good, and what is being answered to it", _revoke)
    revoke.add_argument("key", metavar="ID", help="the public part of the key, like tw_0aB1cD2eF3gH")

    rotate = _action(actions, "rotate", "make another secret for a key, and show it this once", _rotate)
    rotate.add_argument("key", metavar="ID", help="the public part of the key, like tw_0aB1cD2eF3gH")
    rotate.add_argument(
        "--overlap",
        type=_seconds,
        default=0,
        metavar="TIME",
        help="how long the old secret is still good: 24h, 30m (default: not at all)",
    )


def _action(actions: Any, name: str, what: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (tokenwire.toml)")
    parser.add_argument(
        "--store", metavar="URL", help="where the keys are: sqlite:///FILE or redis://HOST:PORT; see TOKENWIRE_STORE"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def _create(options: argparse.Namespace) -> int:
    from ..gate.principal import Scopes

    named = {name.replace("-", "_"): None for name in (*_LISTS, *_COUNTS, *_AMOUNTS)}
    scopes = Scopes(**{name: getattr(options, name) for name in named})
    _check_scopes(options, scopes)
    expires = time.time() + options.expires if options.expires else None
    issued = _with_keys(
        options,
        lambda keys: keys.create(name=options.name, principal=options.principal, scopes=scopes, expires=expires),
        begins=True,
    )
    return _show(issued, options.json)


def _rotate(options: argparse.Namespace) -> int:
    issued = _with_keys(options, lambda keys: keys.rotate(options.key, overlap=options.overlap))
    return _show(issued, options.json)


def _revoke(options: argparse.Namespace) -> int:
    record = _with_keys(options, lambda keys: keys.revoke(options.key))
    if options.json:
        _print_json(_told(record))
    else:
        print(f"{record.public} is revoked")
    return 0


def _list(options: argparse.Namespace) -> int:
    records = _with_keys(options, lambda keys: keys.list())
    if options.json:
        _print_json([_told(record) for record in records])
        return 0
    rows: list[tuple[str, ...]] = [("KEY", "STATE", "PRINCIPAL", "CREATED", "EXPIRES", "SCOPES", "NAME")]
    for record in records:
        told = _told(record)
        scopes = " ".join(f"{name}={_plain(value)}" for name, value in told["scopes"].items())
        cells = (told["id"], told["state"], told["principal"], told["created"], told["expires"], scopes, told["name"])
        rows.append(tuple(map(_plain, cells)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _show(issued: Any, as_json: bool) -> int:
    """Shows a new key. Its text alone goes to standard output, for a script to take it."""
    told = _told(issued.record)
    if as_json:
        _print_json({"key": issued.text.reveal(), **told})
        return 0
    print(issued.text.reveal(), flush=True)
    lines = [f"principal  {_plain(told['principal'])}", f"expires    {_plain(told['expires'])}"]
    if told["overlap"] is not None:
        lines.append(f"overlap    the secret before it is good until {told['overlap']}")
    print("\n".join(["", *lines, "", "This key is not shown again: keep it now."]), file=sys.stderr)
    return 0


def _told(record: Any) -> dict[str, Any]:
    """What may be said of a key."""
    now = time.time()
    state = "revoked" if record.revoked is not None else "live" if record.live(now) else "expired"
    return {
        "id": record.public,
        "state": state,
        "principal": record.principal,
        "name": record.name,
        "created": _date(record.created),
        "changed": _date(record.changed),
        "expires": _date(record.expires),
        "overlap": _date(max((seal.until for seal in record.seals[1:] if seal.until > now), default=None)),
        "revoked": _date(record.revoked),
        "scopes": msgspec.to_builtins(record.scopes),
    }


def _with_keys(options: argparse.Namespace, work: Callable[[Any], Awaitable[_T]], *, begins: bool = False) -> _T:
    """Does something with the keys of the store, which is made where this ``begins`` one.

    Raises :class:`ConfigError`.
    """
    # imported when they are needed, so that --help does not wait for them
    from ..accounts.address import open_records
    from ..accounts.records.contract import RecordsAway
    from ..config.auth import NO_KEYS_IN_MEMORY, pepper_of
    from ..config.load import read
    from ..gate.keys import Keys, UnknownKeyError
    from ..runs.address import parse_store

    file = read(options.config) if options.config is not None else None
    text = options.store or os.environ.get("TOKENWIRE_STORE") or (file.store if file is not None else None)
    address = parse_store(text or "memory")
    if not address.shared:
        raise ConfigError(NO_KEYS_IN_MEMORY)
    if not begins and address.path is not None and not address.path.exists():
        raise ConfigError(f"there is no {address} here, and so there are no keys")
    if file is not None and not file.auth.keys:
        print(f"tokenwire: nobody is asked for a key by {options.config}: add [auth] keys = true", file=sys.stderr)
    pepper = pepper_of(os.environ)

    async def run() -> _T:
        records = await open_records(address)
        try:
            return await work(Keys(records, pepper))
        except UnknownKeyError as error:
            raise ConfigError(str(error)) from None
        except RecordsAway as away:
            raise ConfigError(f"the keys in {address} cannot be reached: {away.detail}") from None
        finally:
            await records.close()

    return asyncio.run(run())


def _check_scopes(options: argparse.Namespace, scopes: Any) -> None:
    """What a key is for has to be there, where the configuration is known."""
    if options.config is None:
        return
    from ..config.load import read

    file = read(options.config)
    for section, names, known in (("models", scopes.models, file.models), ("personas", scopes.personas, file.personas)):
        for name in names or ():
            if name not in known:
                raise ConfigError(f"--{section}: there is no [{section}.{name}] in {options.config}")


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _plain(value: object) -> str:
    """As a cell of a table: what was typed as a name must not move the cursor."""
    if value is None or value == "":
        return "-"
    text = ",".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    return "".join(character if character.isprintable() else "?" for character in text)


def _date(when: float | None) -> str | None:
    return None if when is None else datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 30d, 12h, 45m or 90s")
    return int(match[1]) * _UNITS[match[2]]


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as a,b")
    return names


def _origins(text: str) -> tuple[str, ...]:
    from ..gate.origin import is_origin

    for origin in (origins := _names(text)):
        if not is_origin(origin):
            raise argparse.ArgumentTypeError(f"{origin!r} is not an origin such as https://app.example")
    return origins


def _name(text: str) -> str:
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _amount(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount such as 5 or 0.50")
    return float(text)
