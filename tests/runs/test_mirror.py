"""The copy of a stored log: nothing is delivered before the store has it, nothing twice, nothing with a gap."""

import pytest

from tokenwire.errors import Code, Failure
from tokenwire.runs.backend import Append, Fate, Written
from tokenwire.runs.lease import Lease
from tokenwire.runs.mirror import HOLD_BYTES, MirrorLog

from .record import FINISHED, STARTED, info

LEASE = Lease("me", 1, "")


class Asked:
    """Store and writer in one: notes what a copy says to either."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def changed(self, _: MirrorLog) -> None:
        self.said.append("changed")

    def followed(self, _: MirrorLog) -> None:
        self.said.append("followed")

    def unfollowed(self, _: MirrorLog) -> None:
        self.said.append("unfollowed")

    def cancel(self) -> None:
        self.said.append("cancel")

    def lose(self, failure: Failure) -> None:
        self.said.append(failure.code)

    def hold(self) -> None:
        self.said.append("hold")

    def resume(self) -> None:
        self.said.append("resume")

    def concluded(self, *, lost: bool) -> None:
        self.said.append("lost" if lost else "kept")


def mine() -> tuple[MirrorLog, Asked]:
    """A log that is written here."""
    asked = Asked()
    log = MirrorLog(info(), info().key, asked, LEASE.worker, LEASE)
    log.write(asked)
    return log, asked


def theirs() -> tuple[MirrorLog, Asked]:
    """A log that another process writes."""
    asked = Asked()
    return MirrorLog(info(), info().key, asked, "another"), asked


def batch(log: MirrorLog) -> Append:
    append = log.unsaved()
    assert append is not None
    return append


def save(log: MirrorLog) -> None:
    """The store takes what there is for it."""
    append = batch(log)
    log.saved(append, Written(Fate.kept, append.after + len(append.payloads)))


def everything(log: MirrorLog) -> list[bytes]:
    return list(log.read(0, 1000))


def test_what_the_store_does_not_have_is_not_delivered() -> None:
    log, _ = mine()
    log.append([b"1", b"2"])
    assert (log.length, log.size, everything(log)) == (0, 2, [])
    append = batch(log)
    log.append([b"3"])
    log.saved(append, Written(Fate.kept, 2))
    assert (log.length, everything(log)) == (2, [b"1", b"2"])
    assert batch(log).payloads == [b"3"]


def test_a_follower_is_woken_by_the_store_not_by_the_writer() -> None:
    log, asked = mine()
    seen: list[int] = []
    log.follow(lambda: seen.append(log.length))
    log.append([b"1"])
    assert seen == []
    save(log)
    assert seen == [1]
    assert "followed" in asked.said


def test_the_end_goes_with_the_last_batch_and_not_before() -> None:
    log, _ = mine()
    log.append([b"x"] * 1000)
    log.append([FINISHED])
    log.close()
    closing = []
    while not log.closed:
        closing.append(batch(log).close)
        save(log)
    assert closing == [False, True]
    assert (log.length, log.lease, log.unsaved()) == (1001, None, None)


def test_an_end_alone_is_a_batch_too() -> None:
    log, _ = mine()
    log.append([FINISHED])
    append = batch(log)
    log.close()
    log.saved(append, Written(Fate.kept, 1))
    assert not log.closed
    assert (batch(log).payloads, batch(log).close) == ([], True)
    save(log)
    assert log.closed


def test_too_much_that_waits_holds_the_writer_until_half_of_it_is_gone() -> None:
    log, asked = mine()
    piece = b"x" * (HOLD_BYTES // 512)
    log.append([piece] * 512)
    assert "hold" not in asked.said
    log.append([piece] * 512)
    log.append([piece] * 200)
    assert asked.said.count("hold") == 1
    save(log)
    assert "resume" not in asked.said
    save(log)
    assert asked.said.count("resume") == 1
    save(log)
    assert (asked.said.count("hold"), asked.said.count("resume")) == (1, 1)
    log.append([piece] * 600)
    assert asked.said.count("hold") == 2


def test_a_store_that_lost_records_gets_them_again_and_delivers_none_twice() -> None:
    log, _ = mine()
    log.append([b"1", b"2", b"3"])
    save(log)
    log.append([b"4"])
    log.saved(batch(log), Written(Fate.behind, 1))
    assert everything(log) == [b"1", b"2", b"3"]
    assert (batch(log).after, batch(log).payloads) == (1, [b"2", b"3", b"4"])
    save(log)
    assert (log.length, everything(log)) == (4, [b"1", b"2", b"3", b"4"])


def test_a_log_of_another_process_takes_what_follows_and_what_overlaps() -> None:
    log, _ = theirs()
    wakes: list[int] = []
    log.follow(lambda: wakes.append(log.length))
    assert log.extend(0, [b"1", b"2"], closed=False)
    assert log.extend(1, [b"2", b"3"], closed=False)
    assert log.extend(0, [b"1"], closed=False)
    assert everything(log) == [b"1", b"2", b"3"]
    assert wakes == [2, 3]
    assert log.size == 3
    assert log.extend(3, [FINISHED], closed=True)
    assert log.closed
    assert wakes == [2, 3, 4]
    assert log.extend(0, [b"1", b"2", b"3", FINISHED], closed=True)
    assert everything(log) == [b"1", b"2", b"3", FINISHED]


def test_a_gap_is_noticed_and_not_delivered() -> None:
    log, _ = theirs()
    log.extend(0, [b"1"], closed=False)
    assert not log.extend(2, [b"3"], closed=True)
    assert (everything(log), log.closed) == ([b"1"], False)


def test_a_log_of_another_process_cannot_be_written() -> None:
    log, asked = theirs()
    with pytest.raises(RuntimeError):
        log.append([b"1"])
    log.close()
    assert (log.closed, asked.said) == (False, [])


def test_who_loses_a_log_forgets_what_the_store_never_took() -> None:
    log, asked = mine()
    log.append([STARTED])
    save(log)
    log.append([b"late", b"later"])
    log.yield_to(Failure(Code.producer_lost))
    assert asked.said[-1] == "producer_lost"
    assert (everything(log), log.size, log.unsaved()) == ([STARTED], len(STARTED), None)
    assert log.extend(1, [FINISHED], closed=True)
    assert everything(log) == [STARTED, FINISHED]
    log.cancel()
    assert "cancel" not in asked.said


def test_a_log_that_was_given_up_stays_so_whatever_the_store_says_later() -> None:
    """A write that was under way may succeed all the same: its readers were told of a failure and hear of no end."""
    log, asked = mine()
    log.append([STARTED])
    save(log)
    log.append([FINISHED])
    log.close()
    under_way = batch(log)
    woken: list[bool] = []
    log.follow(lambda: woken.append(log.closed))
    log.fail()
    assert asked.said[-1] == "store_unavailable"
    assert log.unsaved() is None
    log.saved(under_way, Written(Fate.kept, 2))
    assert (log.length, log.closed, woken) == (1, False, [False])
    assert log.failure is not None


def test_a_cancel_from_elsewhere_reaches_the_writer_until_the_end() -> None:
    log, asked = mine()
    log.cancel()
    log.append([FINISHED])
    log.close()
    save(log)
    log.cancel()
    assert asked.said.count("cancel") == 1
