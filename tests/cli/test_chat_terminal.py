"""``tokenwire chat`` with a person before it, at a real pseudo-terminal."""

import stat
from pathlib import Path

import pytest

from tokenwire.testing import ChaosProxy, Reply, Stall, ThreadedUpstream

from ..conftest import Serve
from .person import CTRL_C, CTRL_D, at_a_terminal
from .test_chat import CONFIG


def test_a_conversation(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.reply(Reply(reasoning=("Let me think.",), text=("# Yes\n\n", "It is **so", "** with `code`.")))
    upstream.say("Good", "bye")
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("Is it?")
        screen = person.at_the_prompt()
        assert screen.endswith("> Is it?\n\nLet me think.\n\nYes\n\nIt is so with code.\n\n>")
        assert {"1;32", "2", "1;35", "1", "36"} == set(person.screen.styles)
        person.say("Bye")
        assert person.at_the_prompt().endswith("> Bye\n\nGoodbye\n\n>")
        person.type(CTRL_D)
        assert person.leaves() == 0
    roles = [row["role"] for row in upstream.requests[1].body["messages"]]
    assert roles == ["user", "assistant", "user"]


def test_an_answer_is_shown_while_it_comes(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("one ", "**two** ", "three", hold=True)
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("Count")
        received = upstream.received()
        assert person.sees("…").endswith("> Count\n\n…")
        received.step()
        person.sees("one")
        received.step()
        assert person.sees("one two").endswith("> Count\n\none two")
        person.type("typed ahead")
        received.release()
        assert person.sees("typed ahead").endswith("\n\none two three\n\n> typed ahead")


def test_ctrl_c_stops_the_answer_and_the_model(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("one ", "two", hold=True)
    upstream.say("again")
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("Count")
        received = upstream.received()
        received.step()
        person.sees("one")
        person.type(CTRL_C)
        received.wait_closed(10)
        assert person.at_the_prompt().endswith("\n\none\nstopped\n\n>")
        person.say("More")
        assert person.at_the_prompt().endswith("> More\n\nagain\n\n>")
        assert person.leaves_by_ctrl_c() == 130


def test_ctrl_c_twice_leaves(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("one ", "two", hold=True)
    plan = [None, None, Stall(0)]  # the third connection tells the server to stop, and gets no answer
    with ChaosProxy.in_thread(serve().url, plan) as proxy, at_a_terminal(tmp_path, proxy.url) as person:
        person.say("Count")
        received = upstream.received()
        received.step()
        person.sees("one")
        person.type(CTRL_C)
        person.sees("stopped")
        received.wait_closed(10)
        person.type(CTRL_C)
        assert person.leaves() == 130
        assert "Traceback" not in person.received


def test_ctrl_c_before_the_first_word(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("never", hold="head")
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("Count")
        received = upstream.received()
        person.sees("…")
        person.type(CTRL_C)
        received.wait_closed(10)
        assert person.at_the_prompt().endswith("> Count\n\nstopped\n\n>")


@pytest.mark.parametrize("transport", ["sse", "ndjson"])
def test_a_reconnect_is_seen_and_goes_away(
    serve: Serve, upstream: ThreadedUpstream, tmp_path: Path, transport: str
) -> None:
    upstream.say("one ", "two ", "three", hold=True)
    plan = [None, None, Stall(0)]  # the third connection is the reconnect
    with (
        ChaosProxy.in_thread(serve().url, plan) as proxy,
        at_a_terminal(tmp_path, proxy.url, "--transport", transport) as person,
    ):
        person.say("Count")
        received = upstream.received()
        received.step()
        person.sees("one")
        proxy.sever()
        assert person.sees("reconnecting").endswith("\n\none\nreconnecting …")
        proxy.until(lambda: proxy.traffic.connections == 3)
        proxy.release()
        person.until(lambda: "reconnecting" not in person.screen.text(), "the status stayed")
        received.release()
        assert person.at_the_prompt().endswith("> Count\n\none two three\n\n>")


def test_a_web_socket_that_is_lost_at_the_prompt(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    with (
        ChaosProxy.in_thread(serve().url) as proxy,
        at_a_terminal(tmp_path, proxy.url, "--transport", "ws") as person,
    ):
        for answer in ("first", "second", "third"):
            upstream.say(answer)
            person.say("Go on")
            person.sees(answer)
            person.at_the_prompt()
            proxy.sever()
    assert len(upstream.received(3).body["messages"]) == 5


def test_a_failure_is_told_and_can_be_tried_again(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.reply(Reply(status=401))
    upstream.say("better")
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("Try")
        assert "/reload asks again" in person.at_the_prompt()
        assert "31" in person.screen.styles
        person.say("/reload")
        assert person.at_the_prompt().endswith("> /reload\n\nbetter\n\n>")
    assert [row["content"] for row in upstream.requests[1].body["messages"]] == ["Try"]


def test_choosing(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    with at_a_terminal(tmp_path, serve(CONFIG).url) as person:
        for line, said in (
            ("/model", "model: fast\n  fast             Quick answers\n  large"),
            ("/model large", "model: large"),
            ("/model nobody", "offers no model nobody"),
            ("/persona pirate", "Ahoy!"),
            ("/persona", "persona: pirate\n  pirate           Speaks of ships"),
            ("Hi", "Hello, world"),
            ("/model -", ""),
            ("/persona -", ""),
            ("Again", "Hello, world"),
            ("/clear", "new conversation"),
            ("Anew", "Hello, world"),
        ):
            person.say(line)
            person.sees(f"> {line}")
            screen = person.at_the_prompt()
            assert said in screen.rpartition(f"> {line}")[2]
    asked = [request.body for request in upstream.requests]
    assert [body["model"] for body in asked] == ["upstream-large", "upstream-fast", "upstream-fast"]
    assert [len(body["messages"]) for body in asked] == [2, 3, 1]


def test_an_unknown_command_is_explained_and_not_sent(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("/modle large")
        assert "There is no /modle. /help lists the commands" in person.at_the_prompt()
        assert upstream.requests == []
        person.say(" /etc/hosts is a file?")
        person.sees("Hello, world")
        person.say("/help")
        person.sees("/persona [NAME]")
        person.say("/quit")
        assert person.leaves() == 0
    assert upstream.requests[0].body["messages"][0]["content"] == "/etc/hosts is a file?"


def test_completion(serve: Serve, tmp_path: Path) -> None:
    with at_a_terminal(tmp_path, serve(CONFIG).url) as person:
        person.at_the_prompt()
        person.type("/per\t")
        person.sees("> /persona")
        person.type(" pi\t")
        person.sees("> /persona pirate")


def test_a_line_that_goes_on(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("one\\")
        person.sees("\n.")
        person.type("two\r")
        person.sees("Hello, world")
    assert upstream.requests[0].body["messages"][0]["content"] == "one\ntwo"


def test_history(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    url = serve().url
    with at_a_terminal(tmp_path, url) as person:
        person.say("What was that?")
        person.sees("Hello, world")
        person.process.kill()
    file = tmp_path / "tokenwire" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with at_a_terminal(tmp_path, url) as person:
        person.at_the_prompt()
        person.type("\x1b[A")
        person.sees("> What was that?")
    file.unlink()
    with at_a_terminal(tmp_path, url, "--no-history") as person:
        person.say("A secret")
        person.sees("Hello, world")
    assert not file.exists()


def test_history_that_cannot_be_kept(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    (tmp_path / "tokenwire").write_text("a file in the way")
    with at_a_terminal(tmp_path, serve().url) as person:
        person.say("Hi")
        person.sees("Hello, world")


def test_a_dumb_terminal_gets_text_only(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("**bold** ", "\x1b[2Jtext")
    with at_a_terminal(tmp_path, serve().url, env={"TERM": "dumb"}) as person:
        person.say("Hi")
        assert person.at_the_prompt().endswith("**bold** ␛[2Jtext\n\n>")
        assert "\x1b" not in person.received


def test_no_colour(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("**bold** `code`")
    with at_a_terminal(tmp_path, serve().url, env={"NO_COLOR": "1"}) as person:
        person.say("Hi")
        assert person.at_the_prompt().endswith("bold `code`\n\n>")
        assert set(person.screen.styles) <= {"1", "2"}


def test_one_question_at_a_terminal(serve: Serve, upstream: ThreadedUpstream, tmp_path: Path) -> None:
    upstream.say("**bold**")
    with at_a_terminal(tmp_path, serve().url, "--once", "Hi") as person:
        assert person.leaves() == 0
        assert person.screen.text() == "bold"


def test_nobody_there(tmp_path: Path) -> None:
    with at_a_terminal(tmp_path, "http://127.0.0.1:9") as person:
        assert person.leaves() == 3
        assert person.screen.text().startswith("tokenwire: ")
