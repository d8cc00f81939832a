"""Structured logs: one record a line, in text or JSON, with the ids of its run and its request, and without secrets.

A record says which run it is about by ``extra={"run": info}`` (:class:`tokenwire.runs.log.RunInfo`).
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

from ..runs.log import RunInfo
from .content import HIDDEN, Content
from .redaction import FAILED, redact
from .request import beginning_of, current_request
from .trouble import told, unquoted

LogFormat = Literal["text", "json"]

logger = logging.getLogger("tokenwire")

# whatever a terminal, or a reader of lines, would take for more than a character: also the marks that turn text around
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?""", re.DOTALL)
_REPRS = ("asyncio", "py.warnings")
"""Loggers that tell of tasks, callbacks and values by their reprs, with what those were given and made."""
_PLAIN = re.compile(r"[\w.:@/+*-]+")


class LineFormatter(logging.Formatter):
    """The choke point: what it returns has gone through the redactor, and is one line (but for a traceback in text).

    For any handler of yours: ``handler.setFormatter(TextFormatter())``.

    :param content: whether what people ask and are answered may be shown: :class:`Content`, and what exceptions say.
    """

    def __init__(self, *, content: bool = False, redactor: Callable[[str], str] = redact) -> None:
        super().__init__()
        self._content = content
        self._redact = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: what cannot be redacted is not said."""
        try:
            fields = {name: self._redact(value) for name, value in _fields(record).items()}
            return self.line(record, self._redact(self._message(record)), fields, self._redact(self._trouble(record)))
        except Exception:  # noqa: BLE001 -- whatever it is, the record may hold a secret
            return FAILED

    def line(self, record: logging.LogRecord, message: str, fields: Mapping[str, str], trouble: str) -> str:
        """The record as it is written, of parts that are redacted."""
        raise NotImplementedError

    def _message(self, record: logging.LogRecord) -> str:
        if self._content:
            args = record.args
            if isinstance(args, tuple):
                args = tuple([arg.text if isinstance(arg, Content) else arg for arg in args])
            return str(record.msg) % args if args else str(record.msg)
        said = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            said = unquoted(said, error)
        return _QUOTED.sub(HIDDEN, said) if record.name in _REPRS else said

    def _trouble(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        said = [] if error is None else told(error, content=self._content)
        return "\n".join([*said, record.stack_info] if record.stack_info else said)


class TextFormatter(LineFormatter):
    """For people. Only a record begins at the start of a line: the lines of a traceback are indented."""

    def line(self, record: logging.LogRecord, message: str, fields: Mapping[str, str], trouble: str) -> str:
        """See :class:`LineFormatter`."""
        named = "".join(f" {name}={_word(value)}" for name, value in fields.items())
        head = f"{_time(record)} {record.levelname} {record.name}: {_visible(message)}{named}"
        return "\n    ".join([head, *map(_visible, trouble.splitlines())])


class JsonFormatter(LineFormatter):
    """For machines: an object a line."""

    def line(self, record: logging.LogRecord, message: str, fields: Mapping[str, str], trouble: str) -> str:
        """See :class:`LineFormatter`."""
        said = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name, "message": message}
        said |= fields
        if trouble:
            said["exception"] = trouble
        return json.dumps(said)  # in ASCII: nobody's idea of a line ends in the middle of it


def configure(log_format: LogFormat, level: str, *, content: bool = False) -> None:
    """Sends everything that this process logs to standard error, through the choke point; also what nobody catches."""
    handler = _Handler(sys.stderr)
    kind = JsonFormatter if log_format == "json" else TextFormatter
    handler.setFormatter(kind(content=content))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's own name
        """Nothing: what logging would print of a record that cannot be written has not been redacted."""


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger.critical("nobody caught a %s", kind.__name__, exc_info=(kind, error or kind(), trace))


def _fields(record: logging.LogRecord) -> dict[str, str]:
    run = getattr(record, "run", None)
    fields: dict[str, str] = {}
    if isinstance(run, RunInfo):
        fields = {"run": run.run_id, "thread": run.thread_id, "principal": run.principal, "request": beginning_of(run)}
    elif (request := current_request()) is not None:
        fields = {"principal": request.principal, "request": request.id}
    return {name: value for name, value in fields.items() if value}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: str) -> str:
    """A value that ends where it ends."""
    return value if _PLAIN.fullmatch(value) else json.dumps(_visible(value), ensure_ascii=False)


def _visible(text: str) -> str:
    return _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode() if match[0] < "\ud800" else f"\\u{ord(match[0]):04x}"
