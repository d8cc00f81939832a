"""What is under way in the name of a key ends with it."""

import asyncio

import pytest

from tokenwire.accounts.records.contract import RecordsAway
from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.gate import key_watch
from tokenwire.gate.key_watch import KeyWatch
from tokenwire.gate.keys import IssuedKey, Keys
from tokenwire.gate.principal import ANONYMOUS, Principal

pytestmark = pytest.mark.anyio


class Counted(Keys):
    """Keys that count what is asked."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        super().__init__(MemoryRecords(), clock=lambda: self.now)
        self.asked = {"version": 0, "confirm": 0}
        self.away = False

    async def version(self) -> bytes:
        if self.away:
            raise RecordsAway("gone")
        self.asked["version"] += 1
        return await super().version()

    async def confirm(self, principal: Principal) -> Principal | None:
        self.asked["confirm"] += 1
        return await super().confirm(principal)


class Ends:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def keys() -> Counted:
    return Counted()


@pytest.fixture
def watch(keys: Counted, monkeypatch: pytest.MonkeyPatch) -> KeyWatch:
    """One that looks when the test says so."""
    watch = KeyWatch(keys, clock=lambda: keys.now)

    async def never() -> None: ...

    monkeypatch.setattr(watch, "_watch", never)
    return watch


async def principal_of(keys: Keys, issued: IssuedKey | None = None) -> Principal:
    principal = await keys.verify((issued or await keys.create()).text.reveal())
    assert principal is not None
    return principal


async def test_only_what_the_revoked_key_holds_is_ended_and_once(keys: Counted, watch: KeyWatch) -> None:
    ann, bob = await principal_of(keys), await principal_of(keys)
    ends = [Ends(), Ends(), Ends()]
    for principal, end in zip((ann, ann, bob), ends, strict=True):
        watch.hold(principal, end)
    await watch.look()
    assert [end.count for end in ends] == [0, 0, 0]
    assert ann.key is not None
    await keys.revoke(ann.key)
    await watch.look()
    await watch.look()
    assert [end.count for end in ends] == [1, 1, 0]


async def test_an_expired_key_ends_too(keys: Counted) -> None:
    now = 100.0
    watch, end = KeyWatch(keys, clock=lambda: now), Ends()
    watch.hold(Principal(name="a", key="k", expires=200.0), end)
    await watch.look()
    assert end.count == 0
    now = 200.0
    await watch.look()
    assert end.count == 1
    await watch.close()


async def test_what_was_let_go_of_or_is_over_is_not_ended(keys: Counted, watch: KeyWatch) -> None:
    ann, ends = await principal_of(keys), [Ends(), Ends()]
    let_go = watch.hold(ann, ends[0])
    watch.hold(ann, ends[1], over=lambda: True)
    let_go()
    let_go()
    assert ann.key is not None
    await keys.revoke(ann.key)
    await watch.look()
    assert [end.count for end in ends] == [0, 0]


async def test_what_is_over_is_let_go_of_by_itself(keys: Counted, watch: KeyWatch) -> None:
    ann, end = await principal_of(keys), Ends()
    over = iter([True])
    watch.hold(ann, end, over=lambda: next(over))
    await watch.look()
    assert ann.key is not None
    await keys.revoke(ann.key)
    await watch.look()
    assert end.count == 0


async def test_a_look_that_fails_is_followed_by_another(
    keys: Counted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(key_watch, "LOOK_SECONDS", 0.001)
    watch, ended, real = KeyWatch(keys), asyncio.Event(), keys.version
    ann = await principal_of(keys)
    assert ann.key is not None
    await keys.revoke(ann.key)

    async def fails() -> bytes:
        monkeypatch.setattr(keys, "version", real)
        raise RuntimeError("once")

    monkeypatch.setattr(keys, "version", fails)
    watch.hold(ann, ended.set)
    await asyncio.wait_for(ended.wait(), 20)
    assert "once" in caplog.text
    await watch.close()


async def test_a_key_that_was_known_to_be_revoked_is_ended_when_it_comes_again(keys: Counted, watch: KeyWatch) -> None:
    ann, end = await principal_of(keys), Ends()
    assert ann.key is not None
    await keys.revoke(ann.key)
    await watch.look()
    watch.hold(ann, end)  # admitted by a record that was read just before
    await watch.look()
    assert end.count == 1


async def test_a_secret_that_was_rotated_away_ends_and_the_new_one_does_not(keys: Counted, watch: KeyWatch) -> None:
    issued = await keys.create()
    old, ends = await principal_of(keys, issued), [Ends(), Ends()]
    watch.hold(old, ends[0])
    await watch.look()
    watch.hold(await principal_of(keys, await keys.rotate(issued.record.id)), ends[1])
    await watch.look()
    assert [end.count for end in ends] == [1, 0]


async def test_a_secret_that_was_rotated_away_ends_when_its_overlap_does(keys: Counted, watch: KeyWatch) -> None:
    issued, end = await keys.create(), Ends()
    watch.hold(await principal_of(keys, issued), end)
    await watch.look()
    await keys.rotate(issued.record.id, overlap=60)
    keys.now += 59
    await watch.look()
    assert end.count == 0
    keys.now += 1
    await watch.look()
    assert end.count == 1


async def test_many_are_watched_by_one_small_question(keys: Counted, watch: KeyWatch) -> None:
    principals = [await principal_of(keys) for _ in range(25)]
    for principal in principals * 2:
        watch.hold(principal, Ends())
    for _ in range(10):
        await watch.look()
    assert keys.asked == {"version": 10, "confirm": 25}
    await keys.create()  # which ends nothing
    await watch.look()
    assert keys.asked["confirm"] == 25
    assert principals[0].key is not None
    await keys.revoke(principals[0].key)
    await watch.look()
    assert keys.asked["confirm"] == 50


async def test_a_key_of_the_applications_own_is_not_looked_for_among_ours(keys: Counted, watch: KeyWatch) -> None:
    ends = [Ends(), Ends(), Ends()]
    for expires, end in zip((None, keys.now + 60, keys.now + 120), ends, strict=True):
        watch.hold(Principal(name="ann", key="theirs", expires=expires), end)
    await watch.look()
    assert keys.asked["confirm"] == 0
    keys.now += 60
    await watch.look()
    assert [end.count for end in ends] == [0, 1, 0]


async def test_a_store_that_is_away_ends_nothing_and_is_asked_again(keys: Counted, watch: KeyWatch) -> None:
    ann, end = await principal_of(keys), Ends()
    watch.hold(ann, end)
    await watch.look()
    assert ann.key is not None
    await keys.revoke(ann.key)
    keys.away = True
    await watch.look()
    assert end.count == 0
    keys.away = False
    await watch.look()
    assert end.count == 1


async def test_it_looks_by_itself_while_somebody_holds_a_key(keys: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_watch, "LOOK_SECONDS", 0.001)
    watch, ended = KeyWatch(keys), asyncio.Event()
    watch.hold(ANONYMOUS, ended.set)
    assert keys.asked["version"] == 0
    ann = await principal_of(keys)
    watch.hold(ann, ended.set)
    assert ann.key is not None
    await keys.revoke(ann.key)
    await asyncio.wait_for(ended.wait(), 20)
    await watch.close()
