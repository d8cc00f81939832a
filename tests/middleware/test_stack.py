"""Middleware by itself: which hooks are called, in which order, and what comes of those that do wrong."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire import events
from tokenwire.errors import Code, Refusal
from tokenwire.gate.question import Question
from tokenwire.messages import message
from tokenwire.middleware import Middleware, MiddlewareStack
from tokenwire.runs.log import RunInfo
from tokenwire.runs.outcome import Outcome
from tokenwire.wire.request import Options

pytestmark = pytest.mark.anyio

RUN = RunInfo("alice", "thread", "run", "tanstack")
QUESTION = Question(RUN, (message("user", "Hello"),), Options(model="small"))
SAID = events.TextMessageContent("m", "token")


async def nothing() -> list[bytes]:
    return []


OUTCOME = Outcome(run=RUN, kind="finished", ended=datetime.now(UTC), records=nothing)


class Hook:
    """A middleware of one method."""

    def __init__(self, name: str, call: Any) -> None:
        setattr(self, name, call)


def stack(name: str, *calls: Any, **options: Any) -> MiddlewareStack:
    return MiddlewareStack([Hook(name, call) for call in calls], **options)


# what is a middleware


async def test_a_middleware_has_the_methods_that_it_overrides() -> None:
    class Quiet(Middleware):
        def on_end(self, outcome: Outcome) -> None:
            """The others are inherited."""

    assert MiddlewareStack([Quiet()]).encoder(RUN) is events.encode


async def test_without_a_hook_for_events_nothing_stands_in_their_way() -> None:
    assert MiddlewareStack().encoder(RUN) is events.encode
    assert await MiddlewareStack().request(QUESTION) is QUESTION


class Asynchronous:
    async def on_event(self, run: RunInfo, event: events.Event) -> None: ...


@pytest.mark.parametrize(
    "wrong",
    [object(), Hook, Hook("on_end", 3), Asynchronous(), Middleware()],
    ids=["no hooks", "a class", "not callable", "on_event a coroutine", "no hook overridden"],
)
async def test_what_cannot_be_a_middleware_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(TypeError):
        MiddlewareStack([wrong])


# on_request


async def test_each_changes_what_the_one_before_has_left() -> None:
    def first(question: Question) -> Question:
        return question.replace(options=Options(persona="one"))

    async def second(question: Question) -> Question:
        return question.replace(messages=(*question.messages, message("user", question.options.persona or "")))

    asked = await stack("on_request", first, lambda _: None, second).request(QUESTION)
    assert asked == Question(RUN, (*QUESTION.messages, message("user", "one")), Options(persona="one"))


async def test_a_question_keeps_its_run() -> None:
    other = msgspec.structs.replace(QUESTION, run=RunInfo("mallory", "t", "r", "rais"))
    assert (await stack("on_request", lambda _: other).request(QUESTION)).run == RUN


async def test_a_refusal_is_told_as_it_is_and_nobody_else_is_asked() -> None:
    refusal = Refusal(Code.overloaded, "Enough for today.", retry_after=3600)
    called: list[Question] = []

    async def refuse(_: Question) -> None:
        raise refusal

    with pytest.raises(Refusal) as refused:
        await stack("on_request", refuse, called.append).request(QUESTION)
    assert refused.value is refusal
    assert called == []


async def hang(_: object) -> None:
    await asyncio.Event().wait()


def throw(_: object) -> None:
    raise ValueError("a secret")


async def wait_for_what_was_cancelled(_: object) -> None:
    wait = asyncio.get_running_loop().create_future()
    wait.cancel()
    await wait


@pytest.mark.parametrize(
    "wrong",
    [throw, hang, wait_for_what_was_cancelled, lambda _: True, lambda _: "Hello"],
    ids=["throw", "hang", "cancelled", "true", "text"],
)
async def test_a_guard_that_fails_lets_nobody_through(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Refusal) as refused:
        await stack("on_request", wrong, patience=0.01).request(QUESTION)
    assert refused.value.code is Code.internal
    assert "secret" not in refused.value.message
    assert "on_request failed" in caplog.text


async def test_whoever_asks_can_be_cancelled_while_a_guard_thinks() -> None:
    asking = asyncio.ensure_future(stack("on_request", hang).request(QUESTION))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


# on_event


async def test_events_go_through_all_of_them_in_order() -> None:
    def add(what: str) -> Any:
        def hook(run: RunInfo, event: events.Event) -> events.Event | None:
            assert run == RUN
            return (
                events.TextMessageContent("m", event.delta + what)
                if isinstance(event, events.TextMessageContent)
                else None
            )

        return hook

    encode = stack("on_event", add("1"), lambda *_: None, add("2")).encoder(RUN)
    assert encode(SAID) == events.encode(events.TextMessageContent("m", "token12"))
    assert encode(events.TextMessageEnd("m")) == events.encode(events.TextMessageEnd("m"))


WRONG = [
    events.TextMessageEnd("m"),
    events.TextMessageContent("another", "x"),
    events.TextMessageContent("m", ""),
    events.TextMessageContent("m", 5),  # type: ignore[arg-type]
    events.TextMessageContent("m", "\ud800"),
    b"bytes",
    "token",
    0,
    True,
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
async def test_what_cannot_stand_in_place_of_an_event_does_not(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    encode = stack("on_event", lambda *_: wrong).encoder(RUN)
    assert [encode(SAID), encode(SAID)] == [events.encode(SAID)] * 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class Panic(BaseException):
    """As extensions in Rust raise them."""


@pytest.mark.parametrize("wrong", [LookupError, asyncio.CancelledError, Panic])
async def test_one_that_throws_leaves_the_others_their_work(wrong: type[BaseException]) -> None:
    def shout(_: RunInfo, event: events.Event) -> events.Event:
        assert isinstance(event, events.TextMessageContent)
        return events.TextMessageContent("m", event.delta.upper())

    def raising(*_: object) -> None:
        raise wrong

    encode = stack("on_event", raising, shout, raising).encoder(RUN)
    assert encode(SAID) == events.encode(events.TextMessageContent("m", "TOKEN"))


async def test_what_ends_the_process_ends_it() -> None:
    def leave(*_: object) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        stack("on_event", leave).encoder(RUN)(SAID)


@given(
    st.lists(st.sampled_from(["raise", "none", "same", "wrong kind", "empty", "other id"]), max_size=6),
    st.text(min_size=1),
)
async def test_no_token_is_lost_whatever_the_hooks_do_wrong(does: list[str], text: str) -> None:
    said = events.TextMessageContent("m", text.encode("utf-8", "replace").decode() or "x")

    def hook(what: str) -> Any:
        def on_event(_: RunInfo, event: events.Event) -> Any:
            if what == "raise":
                raise RuntimeError
            return {
                "none": None,
                "same": event,
                "wrong kind": events.RunError("x", "internal", "thread", "run"),
                "empty": events.TextMessageContent("m", ""),
                "other id": events.TextMessageContent("x", "x"),
            }[what]

        return on_event

    assert stack("on_event", *map(hook, does)).encoder(RUN)(said) == events.encode(said)


# on_end


async def test_everybody_is_told_even_if_one_throws_and_one_hangs(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Outcome] = []

    async def later(outcome: Outcome) -> None:
        await asyncio.sleep(0)
        told.append(outcome)

    watched = stack("on_end", throw, hang, wait_for_what_was_cancelled, told.append, later, patience=0.05)
    watched.ended(OUTCOME)
    assert told == []  # whoever ended the run does not wait for them
    await watched.close()
    assert told == [OUTCOME, OUTCOME]
    assert caplog.text.count("on_end failed") == 3


async def test_the_end_waits_for_no_hook_for_ever() -> None:
    async def deaf(_: Outcome) -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                cancelled.set()

    over, cancelled = asyncio.Event(), asyncio.Event()
    watched = stack("on_end", deaf, patience=0.01)
    watched.ended(OUTCOME)
    await watched.close()
    assert cancelled.is_set()
    over.set()
    await watched.close()
