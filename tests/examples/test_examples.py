"""The front ends of examples/, built as their readers build them and used in a browser as a person uses them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from ..interop import node

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
FRONT_ENDS = ["tanstack-react", "tanstack-react-legacy", "react-ai-stream"]
DOCUMENTED_SERVER = b"http://127.0.0.1:8000"

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="the examples need Node and npm")


@cache
def built(name: str) -> Path:
    """The folder of an example, installed from its lock file (unless that is done) and built."""
    folder = EXAMPLES / name
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm(folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    npm(folder, "run", "build")
    return folder


def npm(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["npm", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def site(folder: Path, server: str) -> Iterator[str]:
    """Serves an example from an origin of its own, pointed at a server on another port than the documented one."""
    script = (folder / "dist" / "main.js").read_bytes()
    assert DOCUMENTED_SERVER in script

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def do_GET(self) -> None:
            if self.path != "/dist/main.js":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write(script.replace(DOCUMENTED_SERVER, server.encode()))

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = Thread(target=httpd.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_port}/"
        finally:
            httpd.shutdown()
            thread.join()


class Browser:
    """A Chromium with one page at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, step: str, *values: str) -> dict[str, list[str]]:
        """Takes a step of browser.mjs and returns what the page shows after it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([step, *values]) + "\n")
        self._process.stdin.flush()
        shown: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "failure" not in shown, shown["failure"]
        return shown


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    node.install()  # browser.mjs uses the playwright of the interop tests
    command = ["node", str(HERE / "browser.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Browser(process)


@pytest.fixture(params=FRONT_ENDS)
def front_end(request: pytest.FixtureRequest, browser: Browser, serve: Serve) -> Iterator[str]:
    """An example, open in the browser, with a server behind it."""
    with site(built(request.param), serve().url) as url:
        browser.do("open", url)
        yield request.param


def test_questions_are_answered(front_end: str, browser: Browser, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(reasoning=("Let me ", "think."), text=("Hel", "lo")), Reply(text=("Good", "bye")))
    thought = [] if front_end == "react-ai-stream" else ["Let me think."]
    browser.do("send", "Are you there?")
    browser.do("untilAnswer", "".join([*thought, "Hello"]))
    browser.do("untilIdle")
    browser.do("send", "And now?")
    browser.do("untilAnswer", "Goodbye")
    shown = browser.do("untilIdle")
    answer = "\n\n".join([*thought, "Hello"])
    assert shown == {"articles": ["Are you there?", answer, "And now?", "Goodbye"], "alerts": []}
    assert upstream.received(2).body["messages"] == [
        {"role": "user", "content": "Are you there?"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And now?"},
    ]


def test_stop_reaches_the_model_and_keeps_the_text(
    front_end: str, browser: Browser, upstream: ThreadedUpstream
) -> None:
    upstream.say("Hel", "lo", hold=True)
    browser.do("send", "Are you there?")
    asked = upstream.received()
    asked.step()
    browser.do("untilAnswer", "Hel")
    browser.do("stop")
    asked.wait_closed()
    assert browser.do("untilIdle") == {"articles": ["Are you there?", "Hel"], "alerts": []}


def test_an_error_is_shown_and_asking_again_helps(front_end: str, browser: Browser, upstream: ThreadedUpstream) -> None:
    upstream.reply(Reply(text=("Hel", "lo"), error_after=1), Reply(text=("Hel", "lo")))
    browser.do("send", "Are you there?")
    browser.do("untilAnswer", "Hel")
    shown = browser.do("untilIdle")
    assert shown["articles"] == ["Are you there?", "Hel"]
    assert len(shown["alerts"]) == 1
    assert "The model reported an error." in shown["alerts"][0]
    again = ("send", "Again?") if front_end == "react-ai-stream" else ("retry",)
    browser.do(*again)
    browser.do("untilAnswer", "Hello")
    assert browser.do("untilIdle")["alerts"] == []


@pytest.mark.parametrize("front_end", ["tanstack-react"], indirect=True)
def test_a_reload_in_mid_answer_joins_the_run(front_end: str, browser: Browser, upstream: ThreadedUpstream) -> None:
    upstream.say("Hel", "lo", hold=True)
    browser.do("send", "Are you there?")
    asked = upstream.received()
    asked.step()
    browser.do("untilAnswer", "Hel")
    browser.do("reload")
    browser.do("untilAnswer", "Hel")
    asked.release()
    browser.do("untilAnswer", "Hello")
    assert browser.do("untilIdle") == {"articles": ["Are you there?", "Hello"], "alerts": []}
    assert len(upstream.requests) == 1


def test_the_curl_script_streams_resumes_joins_and_cancels(upstream: ThreadedUpstream, serve: Serve) -> None:
    upstream.say("Hel", "lo")
    upstream.say("Good", "bye", hold=True)
    done = subprocess.run([str(EXAMPLES / "curl.sh"), serve().url], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    streamed, resumed, joined, cancelled = (part for part in done.stdout.split("== ")[1:])
    assert text(streamed) == text(joined) == "Hello"
    assert offsets(resumed) == offsets(streamed)[2:]
    assert "cancel: 20" in cancelled
    assert upstream.received(2).wait_closed()
    assert len(upstream.requests) == 2


def offsets(stream: str) -> list[str]:
    return [line.removeprefix("id: ") for line in stream.splitlines() if line.startswith("id: ")]


def text(stream: str) -> str:
    events = [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")
