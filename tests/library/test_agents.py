"""An agent as a source: what it says is told, and how it ends."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from tokenwire import Ask, ChatBackend, Code, Finish, Reasoning, Refusal, ToolCall, ToolResult, Usage, events
from tokenwire.errors import Failure, UpstreamFailure
from tokenwire.runs.run import Bounds
from tokenwire.wire.tanstack import TANSTACK

from ..wire.legality import assert_legal
from .told import Telling, plain, telling

pytestmark = pytest.mark.anyio


def error(code: Code, message: str) -> events.RunError:
    return events.RunError(message, code, "thread", "run")


def legal(told: Telling) -> None:
    translate = TANSTACK.translator(0)
    assert_legal("tanstack", [json.loads(e) for record in told.log.read(0, told.log.length) for e in translate(record)])


async def test_text_that_comes_together_is_told_together() -> None:
    async with telling(plain("Hel", "lo", "", "!")) as told:
        await told.end()
        assert told.deltas == ["Hello!"]
        assert told.terminal == events.RunFinished("thread", "run", "stop", "support")
        legal(told)


async def test_text_that_comes_by_and_by_is_told_by_and_by() -> None:
    step = asyncio.Semaphore(0)

    async def agent(_: Ask) -> AsyncIterator[str]:
        for delta in ("Hel", "lo"):
            yield delta
            await step.acquire()

    async with telling(agent) as told:
        await told.until("Hel")
        step.release()
        await told.until("lo")
        step.release()
        assert (await told.end()).deltas == ["Hel", "lo"]


async def test_every_kind_of_piece() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    pieces = (
        Reasoning("hm"),
        Reasoning("!", "signature"),
        "Let me look.",
        ToolCall("c1", "look", '{"a":1}'),
        ToolResult("c1", "found"),
        events.Custom("progress", {"done": 1}),
        "There.",
        Finish("length", usage, "gpt"),
    )
    async with telling(plain(*pieces)) as told:
        await told.end()
        legal(told)
        kinds = [type(event) for event in told.happened]
        assert told.deltas == ["Let me look.", "There."]
        assert events.ToolCallArgs("c1", '{"a":1}') in told.happened
        assert events.ToolCallResult("c1-result", "c1", "found") in told.happened
        assert kinds.index(events.ToolCallResult) < kinds.index(events.Custom)
        assert [e.delta for e in told.happened if isinstance(e, events.ReasoningMessageContent)] == ["hm!"]
        assert [e.encrypted_value for e in told.happened if isinstance(e, events.ReasoningEncryptedValue)] == [
            "signature"
        ]
        assert told.terminal == events.RunFinished("thread", "run", "length", "gpt", usage)


async def test_the_events_of_somebody_else_are_told_in_our_own_ids() -> None:
    theirs = (
        events.RunStarted("t", "r"),
        events.ReasoningStart("m"),
        events.ReasoningMessageStart("m", "reasoning"),
        events.ReasoningMessageContent("m", "hm"),
        events.ReasoningMessageEnd("m"),
        events.ReasoningEnd("m"),
        events.TextMessageStart("m", "assistant"),
        events.TextMessageContent("m", "one"),
        events.TextMessageEnd("m"),
        events.TextMessageStart("m2", "assistant"),
        events.TextMessageContent("m2", "two"),
        events.ToolCallStart("c", "look", "m2"),
        events.ToolCallArgs("c", "{}"),
        events.ToolCallEnd("c"),
        events.ToolCallResult("x", "c", "found"),
        events.RunFinished("t", "r", "tool_calls"),
    )
    async with telling(plain(*theirs)) as told:
        await told.end()
        legal(told)
        assert told.deltas == ["one", "two"]
        assert [e for e in told.happened if isinstance(e, events.RunStarted)] == [events.RunStarted("thread", "run")]
        assert told.terminal == events.RunFinished("thread", "run", "tool_calls", "support")


async def test_a_whole_text_and_an_iterator_of_another_s() -> None:
    async def whole(ask: Ask) -> str:
        return ask.prompt

    async def other(ask: Ask) -> AsyncIterator[str]:
        return aiter(plain("from elsewhere")(ask))  # type: ignore[arg-type]

    for agent, text in ((whole, "Hi"), (other, "from elsewhere"), (plain("plain"), "plain")):
        async with telling(agent) as told:
            assert (await told.end()).deltas == [text]


@pytest.mark.parametrize("said", [(), ("Hel",)], ids=["before the first token", "after it"])
async def test_an_exception_is_told_without_its_text_and_logged_with_it(
    said: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async def agent(_: Ask) -> AsyncIterator[str]:
        for delta in said:
            yield delta
        raise KeyError("a secret")

    async with telling(agent) as told:
        await told.end()
        assert told.terminal == error(Code.agent_failed, "The agent failed.")
        assert told.deltas == list(said)
        assert (await told.run.settle(1) is None) == bool(said)
        legal(told)
    assert "KeyError: 'a secret'" in caplog.text


@pytest.mark.parametrize("failure", [Refusal(Code.refused_choice, "Not today."), Failure(Code.upstream_quota)])
async def test_an_agent_says_no_in_its_own_words(failure: Failure) -> None:
    async def agent(_: Ask) -> str:
        raise failure

    async with telling(agent) as told:
        assert await told.run.settle(20) is failure
        assert told.terminal == error(failure.code, failure.message)


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        (UpstreamFailure(Code.upstream_auth, detail="no such key"), "no such key"),
        (UpstreamFailure(Code.upstream_malformed, detail="{half an answer"), "[content]"),
        (Failure(Code.agent_failed, detail="no answer to: Hi"), "[content]"),
        (Refusal(Code.refused_choice, detail="not to: Hi"), "[content]"),
    ],
    ids=str,
)
async def test_what_an_agent_adds_for_the_log_is_content_unless_a_provider_said_it(
    failure: Failure, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def agent(_: Ask) -> str:
        raise failure

    async with telling(agent) as told:
        await told.end()
        (record,) = [record for record in caplog.records if record.name == "tokenwire.agents"]
        assert record.getMessage().endswith(f": {shown}")
        assert vars(record)["run"] is told.run.info


@pytest.mark.parametrize(
    "piece",
    [7, None, b"bytes", events.RunError("Broken.", "x", "t", "r")],
    ids=lambda piece: type(piece).__name__,
)
async def test_what_is_no_piece_of_an_answer_fails_it(piece: Any) -> None:
    async with telling(plain("Hel", piece)) as told:
        await told.end()
        message = piece.message if isinstance(piece, events.RunError) else "The agent failed."
        assert told.terminal == error(Code.agent_failed, message)
        assert told.deltas == ["Hel"]


WRONG: list[Any] = [
    ToolResult("c", {"found": 1}),  # type: ignore[arg-type]
    ToolCall("c", "look", {"a": 1}),  # type: ignore[arg-type]
    Finish("done"),  # type: ignore[arg-type]
    Reasoning(7),  # type: ignore[arg-type]
    Reasoning("half of \ud83d"),
    events.Custom("progress", object()),
    events.Custom(None, 1),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("piece", WRONG, ids=lambda piece: type(piece).__name__)
async def test_a_piece_that_holds_what_it_cannot_hold_fails_the_answer(
    piece: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with telling(plain("Hel", piece, "lo")) as told:
        await told.end()
        assert told.terminal == error(Code.agent_failed, "The agent failed.")
        assert told.deltas == ["Hel"]
        legal(told)
    assert f"a {type(piece).__name__} that cannot be told" in caplog.text


async def test_half_a_surrogate_pair_costs_a_character_and_not_the_answer() -> None:
    async with telling(plain("Hel\ud83d", "lo \ud83d\ude00")) as told:
        await told.end()
        assert told.deltas == ["Hel\ufffdlo \U0001f600"]
        assert isinstance(told.terminal, events.RunFinished)


async def test_a_call_id_that_was_there_before_is_told_as_another() -> None:
    call = ToolCall("c", "f", "{}")
    pieces = (call, ToolResult("c", "1"), call, ToolResult("c", "2"), events.ToolCallStart("c", "g", ""))
    more = (events.ToolCallArgs("c", '{"a":1}'), events.ToolCallEnd("c"), "Done.")
    async with telling(plain(*pieces, *more)) as told:
        legal(await told.end())
        happened = told.happened
    begun = [event.tool_call_id for event in happened if isinstance(event, events.ToolCallStart)]
    assert begun == ["c", "c-2", "c-3"]
    results = [event for event in happened if isinstance(event, events.ToolCallResult)]
    assert [(event.tool_call_id, event.content) for event in results] == [("c", "1"), ("c-2", "2")]
    assert len({event.message_id for event in results}) == 2
    assert events.ToolCallArgs("c-3", '{"a":1}') in happened


async def test_the_result_of_an_earlier_answers_call_is_told_as_that() -> None:
    async with telling(plain(ToolResult("earlier", "42"), "Done.")) as told:
        await told.end()
        assert events.ToolCallResult("earlier-result", "earlier", "42") in told.happened
        assert isinstance(told.terminal, events.RunFinished)


async def test_the_signature_of_a_call_is_told_after_its_start() -> None:
    signed = events.ReasoningEncryptedValue("tool-call", "c", "s")
    unknown = events.ReasoningEncryptedValue("tool-call", "never", "s")
    pieces = (unknown, events.ToolCallStart("c", "f", ""), signed, events.ToolCallArgs("c", "{}"), "Done.")
    async with telling(plain(*pieces)) as told:
        legal(await told.end())
        assert [event for event in told.happened if isinstance(event, events.ReasoningEncryptedValue)] == [signed]


async def test_what_gives_no_answer_at_all_fails() -> None:
    async def agent(_: Ask) -> Any:
        return 7

    async with telling(agent) as told:
        assert (await told.end()).terminal == error(Code.agent_failed, "The agent failed.")


async def test_a_generator_that_would_block_is_refused() -> None:
    def agent(_: Ask) -> Iterator[str]:
        yield "Hel"

    with pytest.raises(TypeError, match="async def"):
        ChatBackend().agent("support")(agent)  # type: ignore[type-var]


async def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="an agent is an async function, not str"):
        ChatBackend().agent("support")("Hello!")  # type: ignore[type-var]


async def test_a_stop_ends_the_agent_where_it_waits_and_waits_for_nobody() -> None:
    last: list[str] = []

    async def agent(_: Ask) -> AsyncIterator[str]:
        try:
            yield "Hel"
            await asyncio.Event().wait()
        finally:
            last.append("begun")
            await asyncio.sleep(0)
            last.append("done")

    async with telling(agent) as told:
        await told.until("Hel")
        told.run.cancel()
        assert told.terminal == events.RunFinished("thread", "run", "cancelled")
        assert last == []
        legal(told)
        await told.agents.close()
        assert last == ["begun", "done"]


async def test_a_stop_while_it_is_held_closes_the_agent() -> None:
    ended = asyncio.Event()

    async def agent(_: Ask) -> AsyncIterator[str]:
        try:
            while True:
                yield "Hel"
                await asyncio.sleep(0)
        finally:
            ended.set()

    async with telling(agent) as told:
        await told.until("Hel")
        told.run.hold()
        for _ in range(5):
            await asyncio.sleep(0)
        held = told.log.length
        for _ in range(5):
            await asyncio.sleep(0)
        assert told.log.length == held
        told.run.cancel()
        async with asyncio.timeout(20):
            await ended.wait()


async def test_a_held_agent_goes_on() -> None:
    step = asyncio.Semaphore(0)

    async def agent(_: Ask) -> AsyncIterator[str]:
        for delta in ("Hel", "lo"):
            yield delta
            await step.acquire()

    async with telling(agent) as told:
        await told.until("Hel")
        told.run.hold()
        step.release()
        step.release()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not told.log.closed
        told.run.resume()
        assert "".join((await told.end()).deltas) == "Hello"


async def test_an_agent_that_will_not_stop_is_heard_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def agent(_: Ask) -> AsyncIterator[str]:
        while True:
            try:
                yield "Hel"
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield "lo"

    async with telling(agent) as told:
        await told.until("Hel")
        told.run.cancel()
        await told.agents.close()
        assert told.deltas == ["Hel"]


async def test_an_agent_that_never_waits_lets_others_have_their_turn() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    async with telling(plain(*["x"] * 20_000)) as told:
        await told.end()
        assert turns > 100
        assert len(told.deltas) < 1000
        assert "".join(told.deltas) == "x" * 20_000
    other.cancel()


async def test_an_answer_that_grows_too_long_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def agent(_: Ask) -> AsyncIterator[str]:
        while True:
            yield "x" * 1000

    async with telling(agent, bounds=Bounds(size=100_000, ahead=10_000)) as told:
        await told.end()
        assert isinstance(told.terminal, events.RunError)
        assert told.terminal.code == Code.answer_too_long


async def test_the_context_of_the_request_is_the_agent_s() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")
    tenant.set("acme")

    async def agent(_: Ask) -> str:
        return tenant.get()

    async with telling(agent) as told:
        assert (await told.end()).deltas == ["acme"]


async def test_a_wait_that_somebody_else_cancelled_fails_the_agent() -> None:
    async def agent(_: Ask) -> AsyncIterator[str]:
        yield "Hel"
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with telling(agent) as told:
        assert (await told.end()).terminal == error(Code.agent_failed, "The agent failed.")


class Panic(BaseException):
    """As extensions in Rust raise them: no ``Exception``."""


@pytest.mark.parametrize("said", [(), ("Hel",)], ids=["before the first token", "after it"])
async def test_whatever_an_agent_raises_ends_its_run(said: tuple[str, ...]) -> None:
    async def agent(_: Ask) -> AsyncIterator[str]:
        for delta in said:
            yield delta
        raise Panic

    async with telling(agent) as told, asyncio.timeout(10):
        assert (await told.end()).terminal == error(Code.agent_failed, "The agent failed.")


async def test_what_was_never_asked_leaves_no_task(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with telling(plain("Hel")) as told:
        told.run.cancel()
    assert caplog.records == []
