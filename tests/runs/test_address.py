"""Where logs are kept: every address that is one, and one clear line for every other."""

import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tokenwire.config import load
from tokenwire.errors import ConfigError
from tokenwire.runs.address import open_store, parse_store
from tokenwire.runs.log import Store
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.shared import SharedStore
from tokenwire.secret import Secret

PASSWORD = "hunter2-canary"
MODEL = '[models.small]\nprovider = "openai-compatible"\nbase_url = "http://model.example/v1"\nmodel = "m"\n'


async def opened(text: str) -> Store:
    return await open_store(parse_store(text), keep_seconds=60, keep_bytes=None, lease_seconds=5, patience=1)


@pytest.mark.parametrize(
    ("text", "path", "url", "shown"),
    [
        ("memory", None, None, "memory"),
        ("sqlite:///runs.db", "runs.db", None, "sqlite:///runs.db"),
        ("sqlite:////var/lib/runs.db", "/var/lib/runs.db", None, "sqlite:////var/lib/runs.db"),
        ("redis://localhost", None, "redis://localhost", "redis://localhost"),
        ("redis://valkey:6379/1", None, "redis://valkey:6379/1", "redis://valkey:6379/1"),
        ("valkey://valkey:6379/1", None, "redis://valkey:6379/1", "redis://valkey:6379/1"),
        ("valkeys://host", None, "rediss://host", "rediss://host"),
        (f"rediss://u:{PASSWORD}@host:1/2", None, f"rediss://u:{PASSWORD}@host:1/2", "rediss://host:1/2"),
        (f"redis://:{PASSWORD}@host", None, f"redis://:{PASSWORD}@host", "redis://host"),
        (f"redis://host?password={PASSWORD}", None, f"redis://host?password={PASSWORD}", "redis://host"),
    ],
)
def test_an_address(text: str, path: str | None, url: str | None, shown: str) -> None:
    address = parse_store(text)
    assert address.path == (path and Path(path))
    assert address.url == (url and Secret(url))
    assert str(address) == shown
    assert address.shared == (text != "memory")
    assert PASSWORD not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Memory",
        "memory:",
        "memory://",
        "runs.db",
        "sqlite",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://runs.db",
        "redis://",
        "redis",
        f"postgres://u:{PASSWORD}@host/db",
        f"u:{PASSWORD}@host",
        f"redis:/u:{PASSWORD}@host",
        f"redis://u:{PASSWORD}@host:port",
        f"redis://u:{PASSWORD}@host:99999",
        f"redis://u:{PASSWORD}@[::1",
        f"redis://u:{PASSWORD}@host\nsqlite:///x",
    ],
)
def test_what_is_no_address_is_one_line_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_store(text)
    line = str(wrong.value)
    assert line.startswith("store: ")
    assert "\n" not in line
    assert PASSWORD not in line


@pytest.mark.anyio
async def test_an_address_is_opened(tmp_path: Path) -> None:
    assert isinstance(await opened("memory"), MemoryStore)
    store = await opened(f"sqlite:///{tmp_path}/runs.db")
    assert isinstance(store, SharedStore)
    await store.close()
    assert (tmp_path / "runs.db").exists()


@pytest.mark.anyio
async def test_a_relative_path_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await (await opened("sqlite:///runs.db")).close()
    assert (tmp_path / "runs.db").exists()


@pytest.mark.anyio
async def test_a_store_that_cannot_be_opened_is_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear friend, this is no database. " * 100)
    with closing(sqlite3.connect(tmp_path / "newer.db")) as db:
        db.execute("PRAGMA user_version = 99")
    places = {"missing/runs.db": "directory", "letter.txt": "not a database", "newer.db": "format 99", "": "directory"}
    for place, reason in places.items():
        with pytest.raises(ConfigError) as wrong:
            await opened(f"sqlite:///{tmp_path}/{place}")
        line = str(wrong.value)
        assert line.startswith(f"the store sqlite:///{tmp_path}/{place}".rstrip("/"))
        assert reason in line
        assert "\n" not in line


@pytest.mark.anyio
@pytest.mark.parametrize("text", [f"redis://u:{PASSWORD}@127.0.0.1:1", f"redis://u:{PASSWORD}@host.invalid:6379/0"])
async def test_a_server_that_cannot_be_reached_is_named_without_the_password(text: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        await opened(text)
    line = str(wrong.value)
    assert text.rpartition("@")[2] in line
    assert PASSWORD not in line
    assert "\n" not in line


@pytest.mark.anyio
@pytest.mark.parametrize("query", ["db=x", "socket_timeout=soon", "colour=red"])
async def test_an_option_that_no_server_has_is_one_line(query: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        await opened(f"redis://u:{PASSWORD}@127.0.0.1:1?{query}")
    assert PASSWORD not in str(wrong.value)


@pytest.mark.anyio
async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenwire.runs.redis", None)
    with pytest.raises(ConfigError, match=r"tokenwire\[redis\]"):
        await opened("redis://127.0.0.1:1")


@pytest.mark.parametrize(
    ("option", "environ", "in_file", "expected"),
    [
        (None, {}, None, "memory"),
        (None, {}, "sqlite:///file.db", "sqlite:///file.db"),
        (None, {"TOKENWIRE_STORE": "sqlite:///env.db"}, "sqlite:///file.db", "sqlite:///env.db"),
        ("sqlite:///option.db", {"TOKENWIRE_STORE": "sqlite:///env.db"}, "sqlite:///file.db", "sqlite:///option.db"),
        ("memory", {"TOKENWIRE_STORE": "sqlite:///env.db"}, None, "memory"),
        (None, {"TOKENWIRE_STORE": ""}, "sqlite:///file.db", "sqlite:///file.db"),
    ],
)
def test_the_option_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, option: str | None, environ: Mapping[str, str], in_file: str | None, expected: str
) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text((f'store = "{in_file}"\n' if in_file else "") + MODEL)
    assert str(load(file, environ, store=option).store) == expected


def test_without_a_file_the_environment_says_where() -> None:
    environ = {"OPENAI_BASE_URL": "http://x/v1", "TOKENWIRE_STORE": "sqlite:///env.db"}
    assert str(load(None, environ).store) == "sqlite:///env.db"
    with pytest.raises(ConfigError, match="store"):
        load(None, {**environ, "TOKENWIRE_STORE": "sqlite:env.db"})
