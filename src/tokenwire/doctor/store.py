"""Whether answers, keys and budgets are kept, and from whom."""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ..config import Config
from .finding import Finding, note, ok, problem, warning
from .network import in_the_clear

CHECK = "store"

_CONNECT_SECONDS = 3
_SKEW_SECONDS = 2.0


def check(config: Config) -> Iterator[Finding]:
    """Whether it is there, lasts, and is closed to others."""
    address = config.store
    if address.path is not None:
        yield from _sqlite(address.path)
    elif address.url is not None:
        yield from _redis(address.url.reveal(), str(address))
    else:
        yield note(
            CHECK,
            "answers are kept in memory",
            'store = "sqlite:///runs.db"   # or "redis://HOST:PORT"',
            why="A restart loses the answers under way, and there can be one process only: "
            "--workers and --reuse-port have nobody to hand them to.",
        )


def _sqlite(file: Path) -> Iterator[Finding]:
    folder = file.parent
    files = [
        path for path in (file, *(file.with_name(f"{file.name}-{part}") for part in ("wal", "shm"))) if path.exists()
    ]
    if not folder.is_dir():
        yield problem(CHECK, f"there is no {folder}", f"mkdir -p {folder}", why=_NO_START)
        return
    if closed := [path for path in (folder, *files) if not os.access(path, os.R_OK | os.W_OK)]:
        yield problem(
            CHECK,
            f"{', '.join(map(str, closed))} cannot be written to",
            "chown it to whom the server runs as, and look at the doctor's findings as that user",
            why=_NO_START,
        )
        return
    if not file.exists():
        yield ok(CHECK, f"{file} will be made at the first start")
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        yield problem(CHECK, f"{file} cannot be read: {error}", "look whose it is, or name another file", why=_NO_START)
        return
    open_to_others = [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_to_others:
        yield warning(
            CHECK,
            f"others on this machine can open {', '.join(open_to_others)}",
            *(f"chmod 600 {folder / name}" for name in open_to_others),
            why="It holds what people have said.",
        )
    else:
        yield ok(CHECK, f"{file} is there, and nobody else's")


def _redis(url: str, shown: str) -> Iterator[Finding]:
    try:
        import redis
    except ImportError:
        yield problem(CHECK, "the redis package is not installed", 'pip install "tokenwire[redis]"', why=_NO_START)
        return
    client: Any = redis.Redis.from_url(url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_CONNECT_SECONDS)
    try:
        with closing(client):
            seconds, microseconds = client.time()
            here = time.time()
            memory, lasting = client.info("memory"), client.info("persistence")
    except (redis.RedisError, OSError) as error:
        # the kind alone: some of the texts hold the URL
        yield problem(
            CHECK,
            f"{shown} cannot be reached ({type(error).__name__})",
            "look at its address, its password and whether it runs",
            why=_NO_START,
        )
        return
    found = [*_redis_ways(url, shown), *_redis_settings(memory, lasting)]
    skew = here - (seconds + microseconds / 1e6)
    if abs(skew) > _SKEW_SECONDS:
        found.append(
            warning(
                CHECK,
                f"the clocks of {shown} and of this machine differ by {abs(skew):.0f} s",
                "let both keep time: chrony, or systemd-timesyncd",
                why="Keys, tokens and budgets begin and end by the clock.",
            )
        )
    yield from found or [ok(CHECK, f"{shown} is there, and lasts")]


def _redis_ways(url: str, shown: str) -> Iterator[Finding]:
    if in_the_clear(url):
        yield warning(
            CHECK,
            f"{shown} is asked in the clear",
            "use rediss://, or a tunnel",
            why="Everybody on the way can read the password and what people say.",
        )


def _redis_settings(memory: dict[str, Any], lasting: dict[str, Any]) -> Iterator[Finding]:
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and memory.get("maxmemory"):
        yield warning(
            CHECK,
            f"a full Redis drops what it likes (maxmemory-policy {policy})",
            "maxmemory-policy noeviction",
            why="Answers, API keys and budgets would vanish without an error.",
        )
    if not lasting.get("aof_enabled"):
        yield note(
            CHECK,
            "Redis keeps no log of its own (appendonly no)",
            "appendonly yes",
            why="What happened since its last snapshot, API keys and budgets among it, is lost when it stops.",
        )


_NO_START = "The server will not start."
