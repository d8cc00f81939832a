"""The testing tools at the command line."""

import argparse
import asyncio
import dataclasses
import re
import signal
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from .chaos import ChaosProxy
from .fault import Cut, Fault, Stall
from .reply import ONE_WRITE, Reply
from .upstream import ScriptedUpstream

_EXAMPLES = """\
examples:
  a model that says 200 words, one every 20 ms
    python -m tokenwire.testing upstream --port 9100 --text "a quick brown fox" --tokens 200 --interval 0.02
  one whose connection is reset after 900 bytes of the response
    python -m tokenwire.testing upstream --port 9100 --reset-at 900
  one that is out of quota
    python -m tokenwire.testing upstream --port 9100 --status 429 --header "Retry-After: 3"
"""

_CHAOS_EXAMPLES = """\
examples:
  every connection to a backend is reset after 900 bytes of its answer
    python -m tokenwire.testing chaos --port 9200 --reset-at 900 http://127.0.0.1:8000
  one in three is closed there, the others pass
    python -m tokenwire.testing chaos --port 9200 --cut-at 900 --every 3 http://127.0.0.1:8000
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a tool until it is interrupted; the exit code is 2 where it cannot start."""
    options = parser().parse_args(arguments)
    # A shell starts its background jobs with interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(options.serve(options))
    except KeyboardInterrupt:
        return 0
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def reply_of(options: argparse.Namespace) -> Reply:
    """The reply that the command line describes; what it does not mention is as in `Reply`."""
    names = {field.name for field in dataclasses.fields(Reply)}
    given: dict[str, Any] = {name: value for name, value in vars(options).items() if name in names}
    if options.tokens is None:
        given["text"] = _words(options.answer)
    else:
        given["text"] = tuple(islice(cycle(_words(f"{options.answer} ")), options.tokens))
    given["headers"] = dict(options.header)
    return Reply(**given)


def fault_of(options: argparse.Namespace) -> Fault | None:
    """The fault that the command line describes."""
    if options.cut_at is not None:
        return Cut(options.cut_at)
    if options.reset_at is not None:
        return Cut(options.reset_at, "reset")
    return Stall(options.stall_at, options.seconds) if options.stall_at is not None else None


async def _serve_upstream(options: argparse.Namespace) -> None:
    async with ScriptedUpstream(options.port, default=reply_of(options)) as upstream:
        _print(f"answering at {upstream.base_url} until Ctrl-C (Anthropic, Gemini, Ollama: {upstream.origin})")
        while True:
            await upstream.received(timeout=None)
            for request in upstream.requests:
                _print(f"{request.method} {request.path}")
            upstream.requests.clear()


async def _serve_chaos(options: argparse.Namespace) -> None:
    chosen = fault_of(options)

    def plan(number: int) -> Fault | None:
        fault = chosen if number % options.every == 0 else None
        _print(f"connection {number}: {fault or 'passes'}")
        return fault

    async with ChaosProxy(options.target, plan, options.port) as proxy:
        _print(f"passing {proxy.url} on to {options.target} until Ctrl-C")
        await asyncio.get_running_loop().create_future()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    commands = argparse.ArgumentParser(
        prog="python -m tokenwire.testing", description="Tools to test a chat backend with, on loopback only."
    )
    tools = commands.add_subparsers(metavar="TOOL", required=True)
    upstream = tools.add_parser(
        "upstream",
        help="a model server that gives every request the same scripted answer",
        description="A server that gives every request the same answer, faults included, in the API it is asked in: "
        "OpenAI's chat completions and Responses, Anthropic's Messages, Gemini, Ollama's chat. "
        "Offsets count the bytes of the HTTP response, its head included.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    upstream.add_argument("--port", type=_port, default=9100, help="0 takes a free one (default: 9100)")
    _add_answer(upstream.add_argument_group("the answer"))
    _add_wire(upstream.add_argument_group("how it is sent"))
    _add_faults(upstream.add_argument_group("what goes wrong"))
    upstream.set_defaults(serve=_serve_upstream)
    _add_chaos(tools)
    return commands


def _add_chaos(tools: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    chaos = tools.add_parser(
        "chaos",
        help="a TCP proxy that breaks the connections through it",
        description="A TCP proxy on loopback that breaks connections. Offsets count the bytes from server to client.",
        epilog=_CHAOS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chaos.add_argument("target", metavar="URL", help="the server to pass connections on to; it names a port")
    chaos.add_argument("--port", type=_port, default=9200, help="0 takes a free one (default: %(default)s)")
    fault = chaos.add_mutually_exclusive_group()
    fault.add_argument("--cut-at", type=int, metavar="BYTES", help="close the connection there")
    fault.add_argument("--reset-at", type=int, metavar="BYTES", help="reset the connection there")
    fault.add_argument("--stall-at", type=int, metavar="BYTES", help="pass nothing more from there on")
    chaos.add_argument("--seconds", type=float, metavar="N", help="how long a stall lasts (default: for ever)")
    chaos.add_argument(
        "--every", type=_positive, default=1, metavar="N", help="only each Nth connection (default: %(default)s)"
    )
    chaos.set_defaults(serve=_serve_chaos)


def _add_answer(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--text",
        dest="answer",
        metavar="TEXT",
        default="Hello, world",
        help="said word by word (default: %(default)s)",
    )
    group.add_argument("--tokens", type=_natural, default=None, metavar="N", help="go round the text for N words")
    group.add_argument("--reasoning", type=_words, metavar="TEXT", help="thought before it is said")
    group.add_argument(
        "--reasoning-field", choices=["reasoning_content", "reasoning"], help="where chat completions have it"
    )
    group.add_argument("--model", help="the model's name (default: the request's)")
    group.add_argument("--finish-reason", metavar="REASON", help="(default: stop)")
    group.add_argument(
        "--no-finish-reason", dest="finish_reason", action="store_const", const=None, help="leave it out"
    )
    group.add_argument("--no-usage", dest="usage", action="store_false", help="never report usage")
    group.add_argument(
        "--no-done", dest="done", action="store_false", help="end streams without [DONE] or message_stop"
    )


def _add_wire(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--interval", type=float, metavar="SECONDS", help="time between two words")
    group.add_argument("--first-delay", type=float, metavar="SECONDS", help="time before the first byte")
    group.add_argument("--line-end", type=_line_end, metavar="{lf,crlf,cr}", help="(default: lf)")
    group.add_argument("--comments", action="store_true", help="put a comment before every event")
    group.add_argument("--framing", choices=["chunked", "length", "close"], help="how the body's end is told")
    group.add_argument(
        "--write-sizes",
        type=_sizes,
        metavar="N,N,...",
        help="cut the response into writes of these sizes, in turn",
    )
    group.add_argument(
        "--one-write",
        dest="write_sizes",
        action="store_const",
        const=ONE_WRITE,
        help="send the whole response at once",
    )
    group.add_argument("--write-pause", type=float, metavar="SECONDS", help="time after every write")


def _add_faults(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--status", type=int, metavar="CODE", help="refuse with this HTTP status")
    group.add_argument(
        "--header",
        type=_header,
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="add a header, or replace one; may be repeated",
    )
    group.add_argument("--body", metavar="TEXT", help="send this instead of an answer")
    group.add_argument("--raw", type=_file, metavar="FILE", help="send this file as the whole HTTP response")
    group.add_argument("--error-after", type=int, metavar="N", help="an error in the stream after N words")
    group.add_argument("--cut-at", type=int, metavar="BYTES", help="close the connection there")
    group.add_argument("--reset-at", type=int, metavar="BYTES", help="reset the connection there")
    group.add_argument("--stall-at", type=int, metavar="BYTES", help="send nothing more from there on")


def _words(text: str) -> tuple[str, ...]:
    """The text in deltas that keep its spaces."""
    return tuple(re.findall(r"\S+\s*|^\s+", text))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is between 0 and 65535")
    return int(text)


def _positive(text: str) -> int:
    if (number := _natural(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _line_end(text: str) -> str:
    ends = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
    if text not in ends:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(ends)}")
    return ends[text]


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(map(_positive, text.split(",")))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} has no colon")
    return name.strip(), value.strip()


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error.strerror}") from None


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
