"""``tokenwire chat`` in scripts: what goes where, exit codes, wires, headers."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tokenwire.testing import ChaosProxy, Cut, Reply, ThreadedUpstream

from ..conftest import Serve
from .command import environment, tokenwire

CANARY = "canary-4f1d9c0a7be25d83"
COUNT = tuple(f"{n} sheep " for n in range(300))
CONFIG = """
[models.fast]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-fast"
description = "Quick answers"

[models.large]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-large"

[personas.pirate]
system = "You are a pirate."
description = "Speaks of ships"
greeting = "Ahoy!"
"""


@contextmanager
def chatting(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """The command under way, with pipes."""
    command = [sys.executable, "-W", "error", "-m", "tokenwire", "chat", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env=environment(env)) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def asked(*arguments: str, question: str = "", env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of the command, run to its end."""
    with chatting(*arguments, env=env) as process:
        output, errors = process.communicate(question.encode(), timeout=60)
        return process.returncode, output.decode(), errors.decode()


def test_one_question(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("Hello", " **you**")
    assert asked(serve().url, "--once", "Hi") == (0, "Hello **you**\n", "")
    assert upstream.requests[0].body["messages"] == [{"role": "user", "content": "Hi"}]


def test_a_question_through_a_pipe(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("Fine.\n")
    assert asked(serve().url, question="line one\nline two\n") == (0, "Fine.\n", "")
    assert upstream.requests[0].body["messages"][0]["content"] == "line one\nline two"


def test_the_answer_streams_through_a_pipe(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("one ", "two", hold=True)
    with chatting(serve().url, "--once", "Count") as process:
        assert process.stdout is not None
        received = upstream.received()
        received.step()
        assert process.stdout.read(4) == b"one "
        received.release()
        assert process.stdout.read() == b"two\n"
        assert process.wait(30) == 0


def test_what_is_not_the_answer_goes_to_stderr(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(reasoning=("Let me", " think"), text=("42",)))
    assert asked(serve().url, "--once", "6*7") == (0, "42\n", "Let me think\n")


def test_no_controls_reach_a_pipe(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("a\x1b", "]0;x\x07\x9b31m\tb\r\nc")
    code, output, _ = asked(serve().url, "--once", "Hi", env={"TERM": "xterm"})
    assert (code, output) == (0, "a␛]0;x␇\ufffd31m\tb\nc\n")


@pytest.mark.parametrize(
    ("wire", "transport"),
    [
        *(("auto", transport) for transport in ("sse", "ndjson", "ws")),
        *(("tanstack", transport) for transport in ("sse", "ndjson", "ws")),
        *(("tanstack-legacy", transport) for transport in ("sse", "ndjson")),
        *(("rais", transport) for transport in ("sse", "ws")),
    ],
)
def test_every_wire(serve: Serve, upstream: ThreadedUpstream, wire: str, transport: str) -> None:
    upstream.say("Hello", " there")
    arguments = ("--wire", wire, "--transport", transport, "--model", "large", "--persona", "pirate")
    assert asked(serve(CONFIG).url, *arguments, "--once", "Hi") == (0, "Hello there\n", "")
    body = upstream.requests[0].body
    assert body["model"] == "upstream-large"
    assert [row["content"] for row in body["messages"]] == ["You are a pirate.", "Hi"]


@pytest.mark.parametrize(
    "path", ["/api/chat", "/api/chat/rais", "/api/chat/ndjson", "/api/chat/ws", "/api/chat/tanstack"]
)
def test_the_address_of_a_chat(serve: Serve, upstream: ThreadedUpstream, path: str) -> None:
    upstream.say("Hello")
    assert asked(serve().url + path, "--once", "Hi")[:2] == (0, "Hello\n")


def test_an_answer_that_fails(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("Half an", " answer"), error_after=1))
    upstream.default = Reply(status=500)
    url = serve().url
    code, output, errors = asked(url, "--once", "Hi")
    assert (code, output) == (1, "Half an\n")
    assert "The model reported an error" in errors
    code, output, errors = asked(url, "--once", "Hi")
    assert (code, output) == (1, "")
    assert "The model" in errors
    assert "{" not in errors


def test_a_server_of_another_kind() -> None:
    def serve_garbage(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _address = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail.example ESMTP\x1b[2J\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_garbage, args=(listener,))
        thread.start()
        code, output, errors = asked(f"http://127.0.0.1:{listener.getsockname()[1]}", "--model", "x", "--once", "Hi")
        thread.join(10)
    assert (code, output) == (1, "")
    assert "does not speak HTTP" in errors
    assert "\x1b" not in errors


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for arguments in (["--once", "Hi"], ["--once", "Hi", "--model", "x"], ["--transport", "ws", "--once", "Hi"]):
        code, output, errors = asked(f"http://127.0.0.1:{port}", *arguments)
        assert (code, output) == (3, "")
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://127.0.0.1", "--once", "x"],
        ["http://", "--once", "x"],
        ["http://a b", "--once", "x"],
        ["http://[::1", "--once", "x"],
        ["http://127.0.0.1:99999", "--once", "x"],
        ["http://127.0.0.1", "--once", "  "],
        ["http://127.0.0.1", "--once", "x", "--wire", "rais", "--transport", "ndjson"],
        ["http://127.0.0.1", "--once", "x", "--wire", "morse"],
        ["http://127.0.0.1", "--once", "x", "--header", CANARY],
        ["http://127.0.0.1", "--once", "x", "--header", f"X: {CANARY}\nY: 1"],
        ["http://127.0.0.1"],
        [],
    ],
)
def test_a_mistake_in_use(arguments: list[str]) -> None:
    code, output, errors = asked(*arguments)
    assert (code, output) == (2, "")
    assert len(errors.splitlines()) == 1
    assert CANARY not in errors


def test_a_name_that_the_server_does_not_offer(serve: Serve) -> None:
    url = serve(CONFIG).url
    for flag in ("--model", "--persona"):
        code, _, errors = asked(url, flag, "nobody", "--once", "Hi")
        assert code == 2
        assert "nobody" in errors
        assert "fast, large" in errors or "pirate" in errors


def test_headers(upstream: ThreadedUpstream) -> None:
    where = upstream.base_url.replace("/v1", "/anything")
    env = {"TOKENWIRE_HEADER": f"Authorization: Bearer {CANARY}\nX-One: environment\n"}
    code, _, errors = asked(where, "--once", "Hi", "--header", "X-One: 1", "--header", "X-Two: a: b", env=env)
    assert code == 1
    assert "404" in errors or "Unknown request URL" in errors
    assert CANARY not in errors
    headers = {name.lower(): value for name, value in upstream.requests[0].headers.items()}
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert (headers["x-one"], headers["x-two"]) == ("1", "a: b")


def test_a_header_of_the_environment_that_is_none() -> None:
    code, _, errors = asked("http://127.0.0.1", "--once", "Hi", env={"TOKENWIRE_HEADER": CANARY})
    assert code == 2
    assert "TOKENWIRE_HEADER" in errors
    assert CANARY not in errors


@pytest.mark.parametrize("transport", ["sse", "ndjson", "ws"])
def test_an_interrupt_stops_the_model(serve: Serve, upstream: ThreadedUpstream, transport: str) -> None:
    upstream.say("one ", "two", hold=True)
    with chatting(serve().url, "--transport", transport, "--once", "Count") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        received = upstream.received()
        received.step()
        assert process.stdout.read(4) == b"one "
        process.send_signal(signal.SIGINT)
        received.wait_closed(10)  # nobody being there would be noticed after 30 s
        assert process.stdout.read() == b"\n"
        assert process.stderr.read() == b"stopped\n"
        assert process.wait(30) == 130


def test_a_reader_who_leaves(serve: Serve, upstream: ThreadedUpstream) -> None:
    upstream.say("one ", "two ", "three", hold=True)
    with chatting(serve().url, "--once", "Count") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        received = upstream.received()
        received.step()
        assert process.stdout.read(4) == b"one "
        process.stdout.close()
        received.step()
        received.wait_closed(10)
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    "arguments", [(), ("--transport", "ndjson"), ("--wire", "rais"), ("--transport", "ws")], ids=str
)
def test_a_lost_connection(serve: Serve, upstream: ThreadedUpstream, arguments: tuple[str, ...]) -> None:
    upstream.reply(Reply(text=COUNT, interval=0.001))
    with ChaosProxy.in_thread(serve().url, [Cut(3000, "reset"), Cut(2500, "close")]) as proxy:
        code, output, errors = asked(proxy.url, *arguments, "--once", "Count")
    assert (code, output) == (0, f"{''.join(COUNT)}\n"), errors
    assert proxy.traffic.faults == 2
    assert errors == "reconnecting ...\n" * 2


def test_help_names_what_a_newcomer_needs() -> None:
    run = tokenwire("chat", "--help")
    assert (run.returncode, run.stderr) == (0, "")
    for word in ("--once", "--wire", "--transport", "--header", "TOKENWIRE_HEADER", "NO_COLOR", "130", "examples:"):
        assert word in run.stdout


def test_the_command_line_does_not_wait_for_the_client() -> None:
    code = "import sys, tokenwire.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert "tokenwire.cli.chat" in modules
    assert not [name for name in modules if name.startswith(("tokenwire.client", "aiohttp"))]
