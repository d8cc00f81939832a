"""`python -m tokenwire.testing`."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tokenwire.testing import ONE_WRITE, Reply
from tokenwire.testing.command import parser, reply_of

COMMAND = [sys.executable, "-m", "tokenwire.testing", "upstream"]
ASK = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command, pipe = [*COMMAND, *arguments], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_it_answers_until_it_is_interrupted() -> None:
    with running("--port", "0", "--text", "a quick brown fox", "--tokens", "6", "--model", "m-1") as process:
        base_url = said(process).split()[2]
        for _ in range(2):
            with urlopen(Request(f"{base_url}/chat/completions", ASK)) as response:
                answer = json.load(response)
            assert answer["model"] == "m-1"
            assert answer["choices"][0]["message"]["content"] == "a quick brown fox a quick "
            assert answer["usage"]["completion_tokens"] == 6
            assert said(process) == "POST /v1/chat/completions\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert str(port) in refused.stderr
    assert "in use" in refused.stderr


def test_every_option_reaches_the_reply(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(b"HTTP/1.1 200 OK\r\n\r\n")
    assert described("--text", " two  words\n", "--reasoning", "well well") == Reply(
        text=(" ", "two  ", "words\n"), reasoning=("well ", "well")
    )
    assert described("--reasoning-field", "reasoning", "--model", "m", "--finish-reason", "length") == Reply(
        text=("Hello, ", "world"), reasoning_field="reasoning", model="m", finish_reason="length"
    )
    assert described("--tokens", "0", "--no-finish-reason", "--no-usage", "--no-done") == Reply(
        finish_reason=None, usage=False, done=False
    )
    assert described("--tokens", "0", "--interval", ".5") == Reply(interval=0.5)
    assert described("--tokens", "0", "--write-pause", "1") == Reply(write_pause=1)
    assert described("--tokens", "0", "--first-delay", "2") == Reply(first_delay=2)
    assert described("--tokens", "0", "--line-end", "crlf", "--comments", "--framing", "close") == Reply(
        line_end="\r\n", comments=True, framing="close"
    )
    assert described("--tokens", "0", "--write-sizes", "1,20", "--error-after", "3") == Reply(
        write_sizes=(1, 20), error_after=3
    )
    assert described("--tokens", "0", "--one-write", "--raw", str(raw)) == Reply(
        write_sizes=ONE_WRITE, raw=b"HTTP/1.1 200 OK\r\n\r\n"
    )
    assert described("--status", "429", "--header", "Retry-After: 3", "--body", "no") == Reply(
        text=("Hello, ", "world"), status=429, headers={"Retry-After": "3"}, body="no"
    )
    assert described("--tokens", "0", "--cut-at", "7") == Reply(cut_at=7)
    assert described("--tokens", "0", "--reset-at", "7") == Reply(reset_at=7)
    assert described("--tokens", "0", "--stall-at", "7") == Reply(stall_at=7)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "70000"], "between 0 and 65535"),
        (["--port", "http"], "between 0 and 65535"),
        (["--tokens", "-5"], "'-5' is no whole number"),
        (["--line-end", "lfcr"], "none of lf, crlf, cr"),
        (["--header", "nothing"], "no colon"),
        (["--raw", "/nonexistent"], "cannot read /nonexistent"),
        (["--write-sizes", "1,x"], "--write-sizes: 'x' is no whole number"),
        (["--write-sizes", "1,0"], "--write-sizes: at least 1"),
    ],
)
def test_a_wrong_option_is_named(
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["upstream", *arguments])
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


def test_a_script_that_makes_no_sense_is_one_clear_line() -> None:
    command = [*COMMAND, "--cut-at", "1", "--reset-at", "1"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2
    assert refused.stderr == "error: a reply has at most one of cut_at, reset_at and stall_at\n"


def described(*arguments: str) -> Reply:
    return reply_of(parser().parse_args(["upstream", *arguments]))
