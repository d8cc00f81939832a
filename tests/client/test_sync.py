"""The client without awaiting: the same chat, in a thread with a loop."""

import asyncio
import inspect
import signal
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tokenwire.client import (
    ChatClient,
    HttpError,
    SyncChatClient,
    fetch_server_sent_events,
    stream,
    tool,
)
from tokenwire.loop_thread import LoopThread
from tokenwire.testing import Reply, ThreadedReceived, ThreadedUpstream

from ..conftest import Serve
from .raw_server import BEGIN, FINISHED, STARTED, Json, text


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("tokenwire", "numbers"))] == []


def scripted(*answers: list[Json], **options: Any) -> ChatClient:
    """A chat whose server gives these answers, one after the other."""
    left = iter(answers)

    async def answer(messages: object) -> Any:
        for chunk in next(left):
            yield chunk

    return ChatClient(stream(answer), **options)


HI: list[Json] = [STARTED, BEGIN, text("Hi"), text(" there"), FINISHED]


def test_it_has_everything_the_client_has() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    own = {"stream_message", "close"}
    assert public(SyncChatClient) - own == public(ChatClient) - {"sync", "aclose"}
    signature = inspect.signature(SyncChatClient.send_message)
    assert list(signature.parameters) == ["self", "content", "body", "when_busy"]
    assert SyncChatClient.send_message.__doc__ == ChatClient.send_message.__doc__


def test_against_the_server(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("Hi", " there")), Reply(status=401))
    with ChatClient(fetch_server_sent_events(serve().url + "/api/chat")).sync() as chat:
        chat.send_message("Hello")
        assert [message.text for message in chat.messages] == ["Hello", "Hi there"]
        assert (chat.status, chat.is_loading, chat.error) == ("ready", False, None)
        chat.send_message("Again")
        assert isinstance(chat.error, HttpError)
        chat.clear()
        assert chat.messages == []


def test_snapshots_while_an_answer_is_written(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("Hi", " there", hold=True)
    seen = []
    next_actions = {"Hello": ThreadedReceived.step, "Hi": ThreadedReceived.release}
    with ChatClient(fetch_server_sent_events(serve().url + "/api/chat")).sync() as chat:
        for snapshot in chat.stream_message("Hello"):
            seen.append(snapshot)
            if (action := next_actions.pop(snapshot.messages[-1].text, None)) is not None:
                action(upstream.received())
    assert {snapshot.messages[-1].text for snapshot in seen} >= {"Hello", "Hi", "Hi there"}
    assert (seen[-1].status, seen[-1].messages[-1].text) == ("ready", "Hi there")
    assert all(one != other for one, other in pairwise(seen))


def test_leaving_the_snapshots_stops_the_answer() -> None:
    stopped = threading.Event()

    async def answer() -> Any:
        try:
            yield text("Hi")
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with ChatClient(stream(answer)).sync() as chat:
        for snapshot in chat.stream_message("Hello"):
            if snapshot.messages[-1].text == "Hi":
                break
        assert stopped.is_set()
        assert (chat.is_loading, chat.messages[-1].text) == (False, "Hi")


@pytest.mark.anyio
async def test_inside_a_loop_that_runs() -> None:
    with scripted(HI).sync() as chat:
        chat.send_message("Hello")
        assert chat.messages[-1].text == "Hi there"


def test_tools_and_callbacks_run_in_the_thread_and_may_look() -> None:
    seen: list[Any] = []

    @tool
    def where(city: str) -> str:
        seen.append((threading.current_thread() is threading.main_thread(), chat.status, city))
        return "here"

    call: list[Json] = [
        STARTED,
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "where"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": '{"city":"Rome"}'},
        {"type": "TOOL_CALL_END", "toolCallId": "c"},
        {
            "type": "CUSTOM",
            "name": "tool-input-available",
            "value": {"toolCallId": "c", "toolName": "where", "input": {"city": "Rome"}},
        },
        {**FINISHED, "finishReason": "tool_calls"},
    ]
    with scripted(call, HI, tools=[where]).sync() as chat:
        chat.send_message("Hello")
        assert chat.messages[-1].text == "Hi there"
    assert [(here, city) for here, _, city in seen] == [(False, "Rome")]


def test_waiting_in_a_callback_would_be_for_ever() -> None:
    errors: list[Exception] = []

    def again(_: object) -> None:
        try:
            chat.send_message("and?")
        except RuntimeError as error:
            errors.append(error)

    with scripted(HI, on_finish=again).sync() as chat:
        chat.send_message("Hello")
    assert "In a callback, use the asynchronous client" in str(errors[0])


def test_an_async_callback_may_send_with_the_client() -> None:
    answered = threading.Event()

    async def again(_: object) -> None:
        if len(chat.messages) == 2:
            await chat.client.send_message("and?")
        else:
            answered.set()

    more = [{**chunk, "messageId": "m2"} for chunk in HI]
    with scripted(HI, more, on_finish=again).sync() as chat:
        chat.send_message("Hello")
        assert answered.wait(10)
        assert [message.text for message in chat.messages] == ["Hello", "Hi there", "and?", "Hi there"]


def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("Hi", hold="head")
    upstream.say("Hi", " there")
    main = threading.get_ident()

    def interrupt() -> None:
        upstream.received()
        signal.pthread_kill(main, signal.SIGINT)

    with ChatClient(fetch_server_sent_events(serve().url + "/api/chat")).sync() as chat:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            chat.send_message("Hello")
        thread.join()
        assert not chat.is_loading
        chat.send_message("Again")
        assert chat.messages[-1].text == "Hi there"


def test_closing_stops_the_answer_that_another_thread_waits_for() -> None:
    begun = threading.Event()

    async def answer() -> Any:
        yield text("Hi")
        begun.set()
        await asyncio.Event().wait()

    chat = ChatClient(stream(answer)).sync()
    sending = threading.Thread(target=chat.send_message, args=["Hello"])
    sending.start()
    assert begun.wait(10)
    chat.close()
    sending.join(10)
    assert not sending.is_alive()


def test_a_closed_chat() -> None:
    with scripted(HI).sync() as chat:
        chat.send_message("Hello")
        snapshots = chat.snapshots()
        next(snapshots)
    chat.close()
    assert chat.messages[-1].text == "Hi there"
    chat.stop()
    snapshots.close()
    with pytest.raises(RuntimeError, match="closed"):
        chat.send_message("Hello")


def test_what_a_method_raises_comes_through() -> None:
    def fail(*_: object) -> Any:
        raise LookupError("no server")

    with ChatClient(stream(fail, hydrate=fail)).sync() as chat:
        chat.send_message("Hello")
        assert isinstance(chat.error, LookupError)
        with pytest.raises(LookupError, match="no server"):
            chat.attach()


def test_a_generator_is_closed_in_the_thread() -> None:
    closed_in = []

    async def numbers() -> Any:
        try:
            for number in range(3):
                yield number
        finally:
            await asyncio.sleep(0)
            closed_in.append(threading.current_thread().name)

    thread = LoopThread("numbers")
    assert list(thread.iterate(numbers())) == [0, 1, 2]
    for number in thread.iterate(numbers()):
        if number == 1:
            break
    thread.close()
    assert closed_in == ["numbers", "numbers"]
