"""What goes into the log is one line a record, says which run it is of, and holds neither secrets nor content."""

import asyncio
import contextvars
import gc
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tokenwire.errors import Code, Failure
from tokenwire.events import TextMessageContent, encode
from tokenwire.gate.question import Question
from tokenwire.messages import message
from tokenwire.observe.content import Content
from tokenwire.observe.content_log import ContentLog
from tokenwire.observe.logs import JsonFormatter, LineFormatter, TextFormatter, configure
from tokenwire.observe.redaction import FAILED
from tokenwire.observe.request import RequestContext, began, current_request, identified
from tokenwire.runs.log import RunInfo
from tokenwire.runs.outcome import Outcome
from tokenwire.secret import Secret
from tokenwire.wire.request import Options

RUN = RunInfo("alice", "t-1", "r-1", "rais")
ASKED = "what Alice asked"
"""A line of source that says so would be in the traceback."""
FORMATTERS = [TextFormatter, JsonFormatter]
formatters = pytest.mark.parametrize("kind", FORMATTERS)


def record(message: str, *args: object, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("tokenwire.test", logging.WARNING, "file", 1, message, args, None)
    if error is not None:
        made.exc_info = (type(error), error, error.__traceback__)
    made.__dict__.update(extra)
    return made


def raised(make: Callable[[], BaseException]) -> BaseException:
    try:
        raise make()
    except BaseException as error:  # noqa: BLE001
        return error


def scope(**headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "headers": named}


def test_text_is_for_people() -> None:
    line = TextFormatter().format(record("run %s ended", "r-1", run=RUN))
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line)
    assert line.partition(" ")[2] == "WARNING tokenwire.test: run r-1 ended run=r-1 thread=t-1 principal=alice"


def test_json_is_an_object() -> None:
    said = json.loads(JsonFormatter().format(record("run %s ended", "r-1", run=RUN)))
    assert said.pop("time")
    assert said == {
        "level": "warning",
        "logger": "tokenwire.test",
        "message": "run r-1 ended",
        "run": "r-1",
        "thread": "t-1",
        "principal": "alice",
    }


def test_a_request_names_what_is_done_within_it() -> None:
    with RequestContext(scope(x_request_id="abc-1")):
        identified("bob")
        said = json.loads(JsonFormatter().format(record("within")))
    assert (said["request"], said["principal"]) == ("abc-1", "bob")
    after = json.loads(JsonFormatter().format(record("after")))
    assert "request" not in after


def test_a_callback_that_outlives_its_request_is_not_of_it() -> None:
    """A connection to a model is opened for one request and carries many: its context is the first one's for ever."""
    with RequestContext(scope()):
        of_the_connection = contextvars.copy_context()
        assert of_the_connection.run(current_request) is not None
    assert of_the_connection.run(current_request) is None


def test_a_run_is_of_the_request_that_began_it() -> None:
    run = RunInfo("alice", "t-1", "begun-here", "rais")
    with RequestContext(scope(x_request_id="abc-1")):
        assert "request" not in json.loads(JsonFormatter().format(record("ended", run=run)))
        began(run)
    with RequestContext(scope(x_request_id="abc-2")):
        began(RunInfo("alice", "t-1", "begun-here", "rais"))
        assert json.loads(JsonFormatter().format(record("ended", run=run)))["request"] == "abc-1"


@pytest.mark.parametrize("bad", ["", "a b", "a\r\nb", "é", "x" * 129, "-a", '"', "a;b"])
def test_a_request_id_that_is_not_sane_is_made_anew(bad: str) -> None:
    with RequestContext(scope(x_request_id=bad)) as request:
        assert re.fullmatch(r"req-[0-9a-f]{16}", request.id)


@formatters
@pytest.mark.parametrize(
    "evil", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\u202eb", "a\x85b", "a\ud800b"]
)
def test_nothing_breaks_a_line(kind: type[LineFormatter], evil: str) -> None:
    run = RunInfo(evil, evil, evil, "rais")
    line = kind().format(record("%s", evil, run=run))
    assert len(line.splitlines()) == 1
    assert line.encode()
    if kind is TextFormatter:
        assert line.isprintable()


def test_a_value_cannot_pretend_to_be_a_field() -> None:
    line = TextFormatter().format(record("m", run=RunInfo("", "t", "r principal=root", "rais")))
    assert line.endswith('m run="r principal=root" thread=t')


def test_the_lines_of_a_traceback_do_not_look_like_records() -> None:
    error = raised(lambda: OSError("x\n2026-01-01T00:00:00.000Z ERROR tokenwire: forged"))
    first, *others = TextFormatter().format(record("failed", error=error)).split("\n")
    assert first.endswith("failed")
    assert others
    assert all(line.startswith("    ") for line in others)


@formatters
def test_secrets_are_masked_wherever_they_are(kind: type[LineFormatter]) -> None:
    secret = Secret("a-value-like-no-other")
    run = RunInfo(secret.reveal(), "t", "r", "rais")
    error = raised(lambda: OSError(5, f"cannot use {secret.reveal()}"))
    line = kind().format(record(f"key {secret.reveal()} %s", secret.reveal(), error=error, run=run))
    assert "cannot use ****" in line
    assert secret.reveal() not in line


@formatters
def test_it_fails_closed(kind: type[LineFormatter]) -> None:
    def broken(text: str) -> str:
        raise RuntimeError(text)

    assert kind(redactor=broken).format(record("sk-abcdefgh")) == FAILED
    assert kind().format(record("%s %s", "one")) == FAILED


@formatters
def test_what_an_exception_says_is_content(kind: type[LineFormatter]) -> None:
    def fail() -> BaseException:
        error = ValueError("what Alice asked")
        error.add_note("and Bob")
        error.__cause__ = KeyError("what Carol asked")
        return ExceptionGroup("Dave", [error])

    error = raised(fail)
    line = kind().format(record("failed", error=error))
    assert "raised" in line
    assert "test_logs.py" in line
    assert "ValueError: [content]" in line
    assert "KeyError: [content]" in line
    assert not re.search("Alice|Bob|Carol|Dave", line)
    shown = kind(content=True).format(record("failed", error=error))
    assert all(name in shown for name in ("Alice", "Bob", "Carol", "Dave"))


def test_of_a_hundred_exceptions_some_are_told() -> None:
    error = raised(lambda: ExceptionGroup("all", [OSError(number, "failed") for number in range(1, 101)]))
    line = TextFormatter().format(record("failed", error=error))
    assert 10 < line.count("OSError: [Errno ") < 30


def test_what_was_put_aside_is_not_told() -> None:
    def fail() -> None:
        try:
            raise KeyError("aside")
        except KeyError:
            raise OSError(5, "failed") from None

    try:
        fail()
    except OSError as error:
        line = TextFormatter().format(record("failed", error=error))
    assert "[Errno 5] failed" in line
    assert "KeyError: " not in line


@formatters
def test_not_even_where_the_message_repeats_it(kind: type[LineFormatter]) -> None:
    cause = ValueError("what Alice asked")
    error = raised(lambda: RuntimeError("what Bob asked"))
    error.__cause__ = cause
    said = [
        record("failed: %s", error, error=error),
        record(f"failed: {error!r} by {cause}", error=error),
        record(f"{[cause]}", error=error),
    ]
    for one in said:
        assert not re.search("Alice|Bob", kind().format(one))
        assert re.search("Alice|Bob", kind(content=True).format(one))


@formatters
def test_what_the_loop_tells_of_tasks_and_callbacks_is(
    kind: type[LineFormatter], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ValueError(ASKED)

    def called(_: str) -> None:
        raise RuntimeError("no")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(called, "what Bob asked")
        await asyncio.wait([asyncio.create_task(fail())])

    asyncio.run(main())
    gc.collect()
    lines = [kind().format(one) for one in caplog.records if one.levelno == logging.ERROR]
    assert len(lines) == 2
    assert not re.search("Alice|Bob", "".join(lines))
    assert "never retrieved" in lines[1]
    assert "ValueError: [content]" in lines[1]


@formatters
def test_our_own_words_and_the_system_s_are_not(kind: type[LineFormatter]) -> None:
    line = kind().format(record("failed", error=raised(lambda: ConnectionRefusedError(111, "Connection refused"))))
    assert "ConnectionRefusedError: [Errno 111] Connection refused" in line
    line = kind().format(record("failed", error=raised(lambda: FileNotFoundError(2, "No such file", "Alice"))))
    assert "FileNotFoundError: [Errno 2] No such file" in line
    assert "Alice" not in line
    assert "OSError: [content]" in kind().format(record("failed", error=raised(lambda: OSError("what Alice asked"))))
    assert "[content]" not in kind().format(record("failed", error=raised(TimeoutError)))
    assert "The run" in kind().format(record("failed", error=raised(lambda: Failure(Code.internal, "The run"))))


@formatters
def test_content_is_shown_where_it_is_wanted(kind: type[LineFormatter]) -> None:
    said = record("asked: %s", Content("Who are you? sk-abcdefgh"))
    assert "asked: [content]" in kind().format(said)
    assert "asked: Who are you? ****" in kind(content=True).format(said)
    assert said.getMessage() == "asked: [content]"


class Dying:
    def __del__(self) -> None:
        raise KeyError("what Alice asked")


@pytest.mark.anyio
async def test_a_log_of_content_shows_it_to_its_own_handlers_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def records() -> list[bytes]:
        return [encode(TextMessageContent(message_id="m", delta="It is Bob."))]

    caplog.set_level(logging.INFO)
    log = ContentLog()
    log.on_request(Question(RUN, (message("user", ASKED),), Options()))
    await log.on_end(Outcome(run=RUN, kind="finished", ended=datetime.now(UTC), records=records))
    assert [one.getMessage() for one in caplog.records] == ["asked: [content]", "answered: [content]"]
    shown = [TextFormatter(content=True).format(one) for one in caplog.records]
    assert f"asked: {ASKED} run=r-1" in shown[0]
    assert "answered: It is Bob. run=r-1" in shown[1]


@pytest.fixture
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Any:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", None)
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_own_logging")
def test_what_nobody_catches_goes_through_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    configure("json", "info")
    error = raised(lambda: OSError(5, "Bearer abcdefghijkl"))
    sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    logging.getLogger("anybody").info("x-api-key: abc")
    thread = threading.Thread(target=lambda: int("what Alice asked"))
    thread.start()
    thread.join()
    Dying()
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("no field, input_value='what Alice asked'", stacklevel=1)
    first, second, third, fourth, fifth = map(json.loads, errors.getvalue().splitlines())
    assert "OSError: [Errno 5] Bearer ****" in first["exception"]
    assert second["message"] == "x-api-key: ****"
    assert "ValueError: [content]" in third["exception"]
    assert fourth["message"] == "nobody caught a KeyError"
    assert "KeyError: [content]" in fourth["exception"]
    assert "input_value=[content]" in fifth["message"]


@pytest.mark.usefixtures("_own_logging")
def test_a_record_that_cannot_be_written_is_not_printed_by_logging_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError("no space left")

    printed = sys.stderr
    monkeypatch.setattr(sys, "stderr", Full())
    configure("text", "info")
    monkeypatch.setattr(sys, "stderr", printed)
    logging.getLogger("anybody").warning("sk-%s", "abcdefgh")
    assert capsys.readouterr().err == ""
