"""One question, and everybody who is asked it until somebody answers."""

import asyncio
import logging
from collections.abc import Callable

import msgspec
import pytest

from tokenwire import events
from tokenwire.errors import Code, UpstreamFailure
from tokenwire.providers.base import HttpCall, Prompt, Target, Timeouts
from tokenwire.providers.codecs import CODECS
from tokenwire.routing.model import Choice
from tokenwire.secret import Secret

from ..runs.clock import ClockLoop
from .switchboard import Line, Routing
from .targets import target

pytestmark = pytest.mark.anyio

KEY = "sk-canary-4f1d9c0a7be25d83"


def at(provider: str, weight: float = 0, retries: int = 0, **fields: object) -> Choice:
    """A target at a host of the provider's name; they are asked as they stand."""
    place = target(provider, f"http://{provider}.example/v1")
    return Choice(msgspec.structs.replace(place, **fields), weight, retries)


def web_page(line: Line) -> None:
    line.sink.head(200, {"content-type": "text/html"})
    line.sink.body(b"<html>")
    line.sink.end()


def stream(*body: bytes, ends: bool = True) -> Callable[[Line], None]:
    def answer(line: Line) -> None:
        line.accept()
        for data in body:
            line.sink.body(data)
        if line.state == "open":
            line.sink.end() if ends else line.hang_up()

    return answer


ENDS: dict[str, Callable[[Line], None]] = {
    "a refused key": lambda line: line.refuse(401),
    "no quota": lambda line: line.refuse(402),
    "too many questions": lambda line: line.refuse(429),
    "a rejected conversation": lambda line: line.refuse(400),
    "a long conversation": lambda line: line.refuse(400, b'{"error": {"code": "context_length_exceeded"}}'),
    "a broken server": lambda line: line.refuse(500),
    "an overloaded server": lambda line: line.refuse(529),
    "a web page": web_page,
    "nobody there": lambda line: line.hang_up(),
    "a hang-up after the head": stream(ends=False),
    "an end after the head": stream(),
    "an error in the stream": stream(b'data: {"error": {"message": "x"}}\n\n'),
    "nonsense in the stream": stream(b"data: {]\n\n"),
}


@pytest.mark.parametrize("why", ENDS)
async def test_whoever_fails_before_the_first_token_is_followed_by_the_next(why: str) -> None:
    routing = Routing(at("a"), at("b"))
    asked = await routing.ask()
    ENDS[why](routing.board.last)
    assert routing.board.asked == "a b"
    assert asked.end is None
    routing.board.last.answer("Hel", "lo")
    assert asked.text == "Hello"
    assert isinstance(asked.end, events.RunFinished)
    assert asked.end.model == "mix"
    assert routing.board.lines[0].state in ("aborted", "released")


@pytest.mark.parametrize("why", ["a hang-up after the head", "an error in the stream", "nonsense in the stream"])
async def test_after_the_first_token_nobody_else_is_asked(why: str) -> None:
    routing = Routing(at("a", retries=2), at("b"))
    asked = await routing.ask()
    routing.board.last.accept()
    routing.board.last.say("Hel")
    ENDS[why](routing.board.last)
    assert routing.board.asked == "a"
    assert asked.text == "Hel"
    assert isinstance(asked.end, events.RunError)
    assert asked.end.message.startswith("The answer broke off")
    assert asked.refusal is None


async def test_a_run_that_began_as_a_stream_may_still_be_answered_by_another() -> None:
    routing = Routing(at("a"), at("b"))
    asked = await routing.ask()
    routing.board.last.accept()
    routing.board.last.hang_up()
    routing.board.last.answer("Hi")
    assert (asked.text, asked.refusal) == ("Hi", None)


async def test_a_filter_has_the_last_word() -> None:
    routing = Routing(at("a"), at("b"), at("c"))
    asked = await routing.ask()
    routing.board.last.hang_up()
    routing.board.last.refuse(400, b'{"error": {"code": "content_filter"}}')
    assert routing.board.asked == "a b"
    assert asked.code == Code.content_filtered


async def test_where_nobody_answers_the_first_choice_has_the_word() -> None:
    routing = Routing(at("a"), at("b"), at("c"))
    asked = await routing.ask()
    routing.board.last.refuse(429, retry_after="9")
    routing.board.last.refuse(401)
    routing.board.last.hang_up()
    assert asked.refusal is not None
    assert (asked.refusal.code, asked.refusal.retry_after) == (Code.upstream_rate_limited, 9)


async def test_the_same_target_is_asked_again_after_all_others_and_after_a_wait(clock: ClockLoop) -> None:
    routing = Routing(at("a", retries=2), at("b"))
    asked = await routing.ask()
    routing.board.last.hang_up()
    routing.board.last.hang_up()
    assert routing.board.asked == "a b"
    await clock.advance(0.2)
    assert routing.board.asked == "a b a"
    routing.board.last.hang_up()
    assert routing.board.asked == "a b a"
    await clock.advance(0.4)
    routing.board.last.answer("third")
    assert routing.board.asked == "a b a a"
    assert asked.text == "third"


async def test_what_asks_for_time_gets_it(clock: ClockLoop) -> None:
    routing = Routing(at("a", retries=1))
    asked = await routing.ask()
    routing.board.last.refuse(429, retry_after="3")
    await clock.advance(2.9)
    assert routing.board.asked == "a"
    await clock.advance(0.3)
    assert routing.board.asked == "a a"
    routing.board.last.answer("Hi")
    assert asked.text == "Hi"


@pytest.mark.parametrize("seconds", [15, 3600])
async def test_what_asks_for_more_time_than_anybody_waits_is_the_end(seconds: int) -> None:
    routing = Routing(at("a", retries=1))
    asked = await routing.ask()
    routing.board.last.refuse(429, retry_after=str(seconds))
    assert asked.refusal is not None
    assert asked.refusal.retry_after == seconds


async def test_nothing_is_asked_again_that_cannot_get_better() -> None:
    routing = Routing(at("a", retries=5))
    asked = await routing.ask()
    routing.board.last.refuse(401)
    assert (routing.board.asked, asked.code) == ("a", Code.upstream_auth)


async def test_a_stop_in_a_wait_is_the_end_of_it(clock: ClockLoop) -> None:
    routing = Routing(at("a", retries=1))
    asked = await routing.ask(max_tokens=70)
    routing.board.last.hang_up()
    asked.run.cancel()
    assert isinstance(asked.end, events.RunFinished)
    assert asked.end.finish_reason == "cancelled"
    await clock.advance(60)
    assert routing.board.asked == "a"


async def test_a_stop_closes_the_socket_of_whoever_is_asked(clock: ClockLoop) -> None:
    routing = Routing(at("a"), at("b"))
    asked = await routing.ask()
    routing.board.last.hang_up()
    asked.run.cancel()
    assert routing.board.last.state == "aborted"
    await clock.advance(3600)
    assert routing.board.asked == "a b"


async def test_nothing_is_left_of_an_answer() -> None:
    routing = Routing(at("a", timeouts=Timeouts(first_token=5, between_tokens=5, answer=5)))
    asked = await routing.ask()
    routing.board.last.answer("Hi")
    assert asked.run.ended
    assert [timer for timer in timers() if not timer.cancelled() and "MemoryStore" not in repr(timer)] == []


def timers() -> list[asyncio.TimerHandle]:
    """All that the loop would still do."""
    return list(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]


async def test_a_pause_holds_for_whoever_is_asked_next(clock: ClockLoop) -> None:
    routing = Routing(at("a"), at("b"))
    asked = await routing.ask()
    asked.run.hold()
    assert routing.board.last.paused
    routing.board.last.hang_up()
    assert routing.board.last.paused
    asked.run.resume()
    assert not routing.board.last.paused


async def test_each_target_is_asked_with_its_own_defaults() -> None:
    routing = Routing(at("a", temperature=0.1, max_tokens=5), at("b", temperature=0.9))
    await routing.ask(max_tokens=7)
    routing.board.last.hang_up()
    first, second = (line.body for line in routing.board.lines)
    assert (first["temperature"], second["temperature"]) == (0.1, 0.9)
    assert first["max_tokens"] == second["max_tokens"] == 7


async def test_a_target_that_has_no_shape_for_the_content_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    build = CODECS["openai-chat"].build

    def picky(place: Target, prompt: Prompt) -> HttpCall:
        if place.provider == "a":
            raise UpstreamFailure(Code.unsupported_content)
        return build(place, prompt)

    monkeypatch.setattr(CODECS["openai-chat"], "build", picky)
    routing = Routing(at("a", retries=3), at("b"))
    asked = await routing.ask()
    assert routing.board.asked == "b"
    routing.board.last.answer("Hi")
    assert asked.text == "Hi"
    alone = await routing.ask(at("a", retries=3))
    assert alone.code == Code.unsupported_content
    assert routing.statuses == "ok ok ok"


async def test_an_error_of_ours_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CODECS["openai-chat"], "build", lambda *_: 1 / 0)
    routing = Routing(at("a"), at("b"))
    asked = await routing.ask()
    assert (routing.board.asked, asked.code) == ("", Code.internal)


async def test_a_model_with_some_of_its_targets_is_asked_there_alone() -> None:
    routing = Routing(at("a"), at("b"), at("c"))
    asked = await routing.ask(at("b"))
    routing.board.last.hang_up()
    assert (routing.board.asked, asked.code) == ("b", Code.upstream_unavailable)


TIMEOUTS = {
    "silence": (Timeouts(), 100.0, 0),
    "first_token": (Timeouts(first_token=3), 3.0, 0),
    "answer": (Timeouts(answer=8), 8.0, 0),
    "between_tokens": (Timeouts(between_tokens=4), 5.0, 2),
    "answer, in the midst of it": (Timeouts(answer=8), 8.0, 2),
}


@pytest.mark.parametrize("which", TIMEOUTS)
async def test_a_target_that_takes_too_long(clock: ClockLoop, which: str) -> None:
    timeouts, seconds, tokens = TIMEOUTS[which]
    routing = Routing(at("a", timeouts=timeouts), at("b"))
    asked = await routing.ask()
    line = routing.board.last
    line.accept()
    line.say(*"ab"[:tokens])
    for _ in range(20):
        if which != "silence" and line.state == "open":
            line.sink.body(b": still here\n\n")
        await clock.advance(seconds / 20)
    assert line.state == "aborted"
    if tokens:
        assert (asked.code, asked.text) == (Code.upstream_timeout, "ab")
    else:
        assert routing.board.asked == "a b"


async def test_an_answer_that_takes_its_time_is_let_have_it(clock: ClockLoop) -> None:
    routing = Routing(at("a", timeouts=Timeouts(first_token=3, between_tokens=4)))
    asked = await routing.ask()
    routing.board.last.accept()
    await clock.advance(2.9)
    for _ in range(10):
        routing.board.last.say("a")
        await clock.advance(3.9)
    routing.board.last.done()
    assert asked.text == "a" * 10
    assert isinstance(asked.end, events.RunFinished)


async def test_an_answer_that_nobody_reads_on_is_not_the_models_fault(clock: ClockLoop) -> None:
    routing = Routing(at("a", timeouts=Timeouts(between_tokens=4)))
    asked = await routing.ask()
    routing.board.last.accept()
    routing.board.last.say("a")
    asked.run.hold()
    await clock.advance(60)
    assert asked.end is None
    asked.run.resume()
    routing.board.last.say("b")
    routing.board.last.done()
    assert asked.text == "ab"


async def test_a_target_that_keeps_failing_is_left_alone_and_comes_back(clock: ClockLoop) -> None:
    routing = Routing(at("a"), at("b"))
    for number in range(5):
        assert routing.statuses == "ok ok ok"
        await routing.ask()
        routing.board.last.hang_up()
        routing.board.last.answer(str(number))
    assert routing.statuses == "degraded down ok"
    routing.board.lines.clear()
    await routing.ask()
    assert routing.board.asked == "b"
    await clock.advance(5)
    assert routing.statuses == "degraded degraded ok"
    await routing.ask()
    await routing.ask()
    assert routing.board.asked == "b a b"
    routing.board.lines[1].answer("back")
    assert routing.statuses == "ok ok ok"


async def test_a_probe_that_is_stopped_leaves_room_for_the_next(clock: ClockLoop) -> None:
    routing = Routing(at("a"))
    for _ in range(5):
        await routing.ask()
        routing.board.last.hang_up()
    await clock.advance(5)
    probe = await routing.ask()
    turned_away = await routing.ask()
    assert turned_away.code == Code.upstream_unavailable
    probe.run.cancel()
    asked = await routing.ask()
    routing.board.last.answer("back")
    assert asked.text == "back"


async def test_a_probe_that_has_begun_to_answer_is_one_of_many(clock: ClockLoop) -> None:
    routing = Routing(at("a"))
    for _ in range(5):
        await routing.ask()
        routing.board.last.hang_up()
    await clock.advance(5)
    first = await routing.ask()
    routing.board.last.accept()
    routing.board.last.say("back")
    await routing.ask()
    routing.board.last.hang_up()
    assert routing.statuses == "down down"
    await clock.advance(10)
    await routing.ask()
    first.run.cancel()
    assert (await routing.ask()).code == Code.upstream_unavailable


async def test_where_everybody_is_left_alone_that_is_told_at_once_and_for_how_long(clock: ClockLoop) -> None:
    routing = Routing(at("a"), at("b"))
    for _ in range(5):
        await routing.ask()
        routing.board.last.refuse(529)
        routing.board.last.hang_up()
        await clock.advance(0.25)
    assert routing.statuses == "down down down"
    routing.board.lines.clear()
    asked = await routing.ask()
    assert routing.board.asked == ""
    assert asked.refusal is not None
    assert (asked.refusal.code, asked.refusal.retry_after) == (Code.upstream_overloaded, 5)


async def test_a_conversation_that_is_refused_says_nothing_of_the_target() -> None:
    routing = Routing(at("a"))
    for _ in range(20):
        await routing.ask()
        routing.board.last.refuse(400)
    assert len(routing.board.lines) == 20
    assert routing.statuses == "ok ok"


async def test_an_answer_that_breaks_off_counts_as_a_failure() -> None:
    routing = Routing(at("a"))
    for _ in range(5):
        await routing.ask()
        routing.board.last.accept()
        routing.board.last.say("a")
        routing.board.last.hang_up()
    assert routing.statuses == "down down"


async def test_a_target_that_asked_for_time_is_left_alone_by_everybody(clock: ClockLoop) -> None:
    routing = Routing(at("a"), at("b"))
    await routing.ask()
    routing.board.last.refuse(429, retry_after="7")
    await routing.ask()
    assert routing.board.asked == "a b b"
    await clock.advance(7)
    await routing.ask()
    assert routing.board.asked == "a b b a"


async def test_two_accounts_at_one_provider_have_a_health_each() -> None:
    first, second = at("a", key=Secret("one")), at("a", key=Secret("two"))
    routing = Routing(first, second)
    await routing.ask()
    routing.board.last.refuse(429, retry_after="7")
    assert routing.board.asked == "a a"
    assert routing.statuses == "degraded down ok"


async def test_the_log_tells_the_course_of_it_without_a_key(clock: ClockLoop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tokenwire.routing")
    routing = Routing(at("a", retries=1, key=Secret(KEY)), at("b"), draw=lambda: 0.8)
    await routing.ask()
    routing.board.last.refuse(503, f'{{"error": "no {KEY}\\n{KEY}"}}'.encode())
    routing.board.last.refuse(401)
    await clock.advance(1)
    routing.board.last.hang_up()
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        'run run-1: upstream_unavailable from a/m: HTTP 503: {"error": "no ****\\n****"}; trying b/m next',
        "run run-1: upstream_auth from b/m: HTTP 401: {}; trying a/m in 0.2 s",
        "run run-1: upstream_unavailable from a/m: reset; giving up",
    ]


async def test_the_log_tells_who_is_left_alone_and_who_is_back(
    clock: ClockLoop, caplog: pytest.LogCaptureFixture
) -> None:
    routing = Routing(at("a"))
    for _ in range(5):
        await routing.ask()
        routing.board.last.hang_up()
    caplog.clear()
    caplog.set_level(logging.INFO, "tokenwire.routing")
    await routing.ask()
    await clock.advance(5)
    await routing.ask()
    routing.board.last.answer("back")
    assert [record.getMessage() for record in caplog.records] == [
        "run run-6: upstream_unavailable: every target is left alone for now",
        "a/m is asked to see whether it answers again",
        "a/m answers again",
    ]
