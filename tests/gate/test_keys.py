"""API keys: what opens, what does not, and what is kept of them."""

import hmac
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.accounts.records.sqlite import SqliteRecords
from tokenwire.gate import keys as module
from tokenwire.gate.keys import Keys, UnknownKeyError
from tokenwire.gate.principal import Principal, Scopes
from tokenwire.secret import Secret

pytestmark = pytest.mark.anyio

PEPPER = Secret("a pepper of more than thirty-two characters")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def keys(records: MemoryRecords, clock: Clock) -> Keys:
    return Keys(records, clock=clock)


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SECONDS", 0.0)


def other_than(character: str) -> str:
    return "a" if character != "a" else "b"


async def test_a_key_says_who_holds_it_and_what_they_may(keys: Keys, clock: Clock) -> None:
    scopes = Scopes(models=("fast",), day_dollars=5.0)
    record, text = await keys.create(name="laptop", scopes=scopes, expires=clock.now + 60)
    principal = await keys.verify(text.reveal())
    assert principal is not None
    assert principal.name == f"key:{record.id}"
    assert (principal.key, principal.scopes, principal.expires) == (record.id, scopes, clock.now + 60)


async def test_several_keys_may_be_one_principal(keys: Keys) -> None:
    told = [await keys.verify((await keys.create(principal="ann")).text.reveal()) for _ in range(2)]
    assert [principal.name if principal else None for principal in told] == ["ann", "ann"]
    assert len({principal.key for principal in told if principal}) == 2


async def test_every_other_text_is_no_key(keys: Keys) -> None:
    text = (await keys.create()).text.reveal()
    for place in range(len(text)):
        assert await keys.verify(text[:place] + other_than(text[place]) + text[place + 1 :]) is None
        assert await keys.verify(text[:place]) is None
    for wrong in (text + "a", text + "\n", " " + text, text.upper(), text * 1000, "", "tw_", "tw__", "tw_é_" + text):
        assert await keys.verify(wrong) is None
    assert await keys.verify(text) is not None


@given(st.text(max_size=200) | st.from_regex(r"tw_\w{0,20}_\w{0,60}"))
async def test_garbage_is_no_key(text: str) -> None:
    assert await Keys(MemoryRecords()).verify(text) is None


async def test_a_malformed_key_is_not_looked_up(clock: Clock) -> None:
    keys = Keys(Untouchable(), clock=clock)
    for text in ("", "sk-1", "tw_" + "a" * 1_000_000, "tw_" + "é" * 12 + "_" + "a" * 43):
        assert await keys.verify(text) is None


async def test_an_unknown_id_costs_what_a_wrong_secret_costs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[tuple[str, int, int]] = []

    def counted(name: str) -> None:
        real = getattr(hmac, name)

        def count(one: bytes, other: bytes, *more: Any) -> Any:
            work.append((name, len(one), len(other)))
            return real(one, other, *more)

        monkeypatch.setattr(hmac, name, count)

    records = Read()
    keys = Keys(records, PEPPER, clock=clock)
    texts = [(await keys.create(expires=end)).text.reveal() for end in (None, None, None, clock.now)]
    good, wrong, revoked, expired = texts
    await keys.revoke(revoked[:15])
    others = (wrong[:-1] + other_than(wrong[-1]), revoked, expired, f"tw_{'0' * 12}_{good[-43:]}")
    counted("digest")
    counted("compare_digest")
    records.read.clear()
    for text in (good, *others):
        for reads in (["key", "revoked"], []):
            assert (await keys.verify(text) is not None) == (text is good)
            assert work == [("digest", 16 + len(PEPPER.reveal()), 43), ("compare_digest", 32, 32)]
            assert [name.partition(":")[0] for name in records.read] == reads
            work.clear()
            records.read.clear()
    await keys.verify(good[:-1])
    assert not work  # what is no key tells nothing of any
    assert not records.read


async def test_made_up_ids_do_not_fill_the_memory(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHED", 10)
    for number in range(25):
        await keys.verify(f"tw_{number:012}_{'a' * 43}")
        assert len(keys._cache) <= 10


async def test_a_refused_key_is_named_in_the_log_with_the_reason(
    keys: Keys, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    good, over = [(await keys.create(expires=end)).text.reveal() for end in (None, clock.now)]
    unknown = f"tw_{'0' * 12}_{good[-43:]}"
    for text, reason in (
        (unknown, "no such key"),
        (over, "over"),
        (good[:-1] + other_than(good[-1]), "not its secret"),
    ):
        caplog.clear()
        await keys.verify(text)
        assert f"{text[:15]}: " in caplog.text
        assert reason in caplog.text
        assert text[-43:] not in caplog.text


async def test_a_key_ends_when_it_expires(keys: Keys, clock: Clock) -> None:
    record, text = await keys.create(expires=clock.now + 60)
    clock.now += 59
    assert await keys.verify(text.reveal()) is not None
    clock.now += 1
    assert await keys.verify(text.reveal()) is None
    assert record.live(clock.now - 1)
    assert not record.live(clock.now)


@pytest.mark.usefixtures("no_cache")
async def test_a_rotated_key_has_another_secret_and_both_for_a_while(keys: Keys, clock: Clock) -> None:
    record, first = await keys.create(name="laptop")
    clock.now += 1000
    again, second = await keys.rotate(record.public, overlap=60)
    assert (again.id, again.name, again.created, again.changed) == (record.id, "laptop", clock.now - 1000, clock.now)
    told = await keys.verify(first.reveal())
    assert told is not None
    assert told.expires == clock.now + 60
    assert await keys.verify(second.reveal()) is not None
    clock.now += 60
    assert await keys.verify(first.reveal()) is None
    assert await keys.verify(second.reveal()) is not None


@pytest.mark.usefixtures("no_cache")
async def test_a_rotation_never_lengthens_what_an_old_secret_has_left(keys: Keys, clock: Clock) -> None:
    record, first = await keys.create()
    await keys.rotate(record.id, overlap=60)
    await keys.rotate(record.id, overlap=6000)
    clock.now += 61
    assert await keys.verify(first.reveal()) is None


@pytest.mark.usefixtures("no_cache")
async def test_without_an_overlap_the_old_secret_is_over(keys: Keys) -> None:
    record, first = await keys.create()
    again, _ = await keys.rotate(record.id)
    assert await keys.verify(first.reveal()) is None
    assert len(again.seals) == 1  # whatever time it is elsewhere


async def test_whoever_is_known_by_a_key_is_what_it_makes_them_now(keys: Keys, clock: Clock) -> None:
    record, first = await keys.create()
    ann = await keys.verify(first.reveal())
    assert ann is not None
    assert await keys.confirm(ann) == ann
    _, second = await keys.rotate(record.id, overlap=60)
    confirmed = await keys.confirm(ann)
    assert confirmed is not None
    assert confirmed.expires == clock.now + 60
    again = await keys.verify(second.reveal())
    assert again is not None
    await keys.rotate(record.id)
    assert await keys.confirm(ann) is None
    assert await keys.confirm(again) is None
    theirs = Principal(name="bob", key="of the application's own")
    assert await keys.confirm(theirs) is theirs


async def test_a_revoked_key_opens_nothing_any_more(keys: Keys) -> None:
    record, text = await keys.create()
    assert await keys.verify(text.reveal()) is not None
    revoked = await keys.revoke(record.public)
    assert await keys.verify(text.reveal()) is None
    assert await keys.revoke(record.id) == revoked
    with pytest.raises(UnknownKeyError, match="revoked"):
        await keys.rotate(record.id)


async def test_a_rotation_under_way_does_not_undo_a_revocation(records: MemoryRecords, keys: Keys) -> None:
    record, text = await keys.create()
    before = await records.get(f"key:{record.id}")
    assert before is not None
    await keys.revoke(record.id)
    await records.put(f"key:{record.id}", before)  # what a rotation that had read it earlier writes
    assert await Keys(records).verify(text.reveal()) is None


async def test_another_process_knows_when_its_record_is_old(
    records: MemoryRecords, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = Keys(records, clock=clock), Keys(records, clock=clock)
    moment = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    record, text = await here.create()
    assert await elsewhere.verify(text.reveal()) is not None
    await here.revoke(record.id)
    assert await elsewhere.verify(text.reveal()) is not None
    moment += 1.0
    assert await elsewhere.verify(text.reveal()) is None


@pytest.mark.parametrize("key_id", ["tw_000000000000", "", "tw_", "key:1", "*", "a" * 10_000])
async def test_there_is_no_such_key(keys: Keys, key_id: str) -> None:
    for change in (keys.revoke, keys.rotate):
        with pytest.raises(UnknownKeyError):
            await change(key_id)


async def test_who_gives_a_whole_key_for_its_id_does_not_read_it_in_the_error(keys: Keys) -> None:
    text = (await keys.create()).text.reveal()
    with pytest.raises(UnknownKeyError) as error:
        await keys.revoke(text)
    assert text[-43:] not in str(error.value)


async def test_keys_are_listed_the_oldest_first(keys: Keys, clock: Clock) -> None:
    made = []
    for name in "abc":
        made.append((await keys.create(name=name)).record)
        clock.now += 1
    await keys.revoke(made[1].id)
    listed = await keys.list()
    assert [record.name for record in listed] == ["a", "b", "c"]
    assert [record.revoked for record in listed] == [None, clock.now, None]


async def test_another_pepper_opens_nothing(records: MemoryRecords, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    text = (await Keys(records, PEPPER).create()).text.reveal()
    assert await Keys(records, PEPPER).verify(text) is not None
    assert await Keys(records).verify(text) is None
    assert await Keys(records, Secret(PEPPER.reveal() + "!")).verify(text) is None
    assert "TOKENWIRE_SECRET" in caplog.text
    assert text[-43:] not in caplog.text


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteRecords]:
    records = SqliteRecords(tmp_path / "runs.db")
    await records.start()
    yield records
    await records.close()


async def test_a_secret_is_nowhere(file: SqliteRecords, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    keys = Keys(file, PEPPER)
    record, first = await keys.create()
    _, second = await keys.rotate(record.id, overlap=60)
    told = [await keys.verify(text.reveal()) for text in (first, second)]
    await keys.verify(first.reveal()[:-1] + other_than(first.reveal()[-1]))
    seen = "".join(map(repr, (first, second, *told, await keys.list(), keys.__dict__, record))) + caplog.text
    kept = everything_in(tmp_path)
    for text in (first, second):
        secret = text.reveal()[-43:]
        assert secret not in seen
        assert secret.encode() not in kept
    assert PEPPER.reveal().encode() not in kept
    assert PEPPER.reveal() not in repr(await keys.list()) + caplog.text


async def test_two_secrets_are_never_the_same(keys: Keys) -> None:
    texts = {(await keys.create()).text.reveal() for _ in range(100)}
    assert len({text[-43:] for text in texts}) == len({text[:15] for text in texts}) == 100


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


class Read(MemoryRecords):
    """Records that remember what was read of them."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    async def get(self, name: str) -> bytes | None:
        self.read.append(name)
        return await super().get(name)


class Untouchable(MemoryRecords):
    async def get(self, name: str) -> bytes | None:
        raise AssertionError(f"{name!r} was looked up")
