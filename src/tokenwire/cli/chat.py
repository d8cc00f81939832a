"""``tokenwire chat``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any

from ..errors import ConfigError
from ..terminal.endpoint import TRANSPORTS, WIRES, endpoint

_HEADERS = "TOKENWIRE_HEADER"
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

_DESCRIPTION = """\
Chat in the terminal with whatever serves a chat hook: tokenwire, a TanStack AI server, a react-ai-stream endpoint.

Without --once, and where the input is no terminal, all of the input is one question.
"""

_EPILOG = """\
examples:
  tokenwire chat http://127.0.0.1:8000
  tokenwire chat http://127.0.0.1:8000 --persona support-agent
  tokenwire chat https://app.example/api/ask --wire rais
  tokenwire chat http://127.0.0.1:8000 --once "Name a prime."
  git diff | tokenwire chat http://127.0.0.1:8000 --model fast > review.md

environment:
  TOKENWIRE_HEADER  headers, one a line, for what must not stand in the process list:
                    TOKENWIRE_HEADER='Authorization: Bearer ...'
  NO_COLOR          no colours

exit code: 0 answered, 1 the answer failed, 2 a mistake in use, 3 the server cannot be reached, 130 interrupted.
"""


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "chat",
        help="chat in the terminal",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", metavar="URL", help="the server (http://127.0.0.1:8000), or the address of its chat")
    parser.add_argument("--once", metavar="PROMPT", help="ask this, print the answer and leave")
    parser.add_argument("--model", metavar="NAME", help="the model to ask")
    parser.add_argument("--persona", metavar="NAME", help="the persona to talk to")
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_header,
        metavar="'NAME: VALUE'",
        help=f"sent with every request; may be repeated, and wins over ${_HEADERS}",
    )
    parser.add_argument(
        "--wire",
        choices=WIRES,
        default="auto",
        help="the protocol; auto asks as TanStack AI does and reads either (default: %(default)s)",
    )
    parser.add_argument("--transport", choices=TRANSPORTS, help="how it is carried (default: as URL says, else sse)")
    parser.add_argument("--no-history", action="store_true", help="do not keep what is typed for the next chat")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Chats, or asks once. Returns the exit code."""
    # imported when they are needed, so that --help does not wait for them
    import asyncio

    from ..client.errors import ConnectionLostError
    from ..terminal.answer import Outcome, answer_view, present
    from ..terminal.catalogue import Catalogue, Kind, read_catalogue
    from ..terminal.conversation import Conversation
    from ..terminal.prompt import History, history_path
    from ..terminal.session import ChatSession
    from ..terminal.terminal import Terminal, printable

    where = endpoint(options.url, options.wire, options.transport)
    headers = {**_environment_headers(), **dict(options.header)}
    terminal, notes = Terminal(sys.stdout), Terminal(sys.stderr)
    interactive = options.once is None and sys.stdin.isatty() and terminal.is_tty
    question = "" if interactive else _question(options.once)
    choices: dict[Kind, str | None] = {"model": options.model, "persona": options.persona}
    with asyncio.Runner() as runner:
        conversation = Conversation(where, headers)
        try:
            asks = interactive or any(choices.values())
            catalogue = runner.run(read_catalogue(where, headers)) if asks else Catalogue()
            for kind, name in choices.items():
                if name is None:
                    continue
                if refusal := catalogue.refusal(kind, name):
                    raise ConfigError(printable(f"--{kind}: {refusal}"))
                conversation.choices[kind] = name
            if not interactive:
                view = answer_view(terminal, notes)
                return runner.run(present(conversation, conversation.ask(question), view))
            history = None if options.no_history else History(history_path())
            return ChatSession(runner, conversation, catalogue, terminal, notes, history).run()
        except ConnectionLostError as error:
            notes.write(f"tokenwire: {printable(str(error))}\n")
            return Outcome.UNREACHABLE
        except BrokenPipeError:
            # who read the answer has left; what is still buffered must not be complained about at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Outcome.FAILED
        finally:
            runner.run(conversation.aclose())


def _question(prompt: str | None) -> str:
    question = sys.stdin.buffer.read().decode(errors="replace") if prompt is None else prompt
    if not question.strip():
        raise ConfigError("there is no question: --once, or the input, is blank")
    return question


def _environment_headers() -> dict[str, str]:
    try:
        return dict(_header(line) for line in os.environ.get(_HEADERS, "").splitlines() if line.strip())
    except argparse.ArgumentTypeError:
        raise ConfigError(f"{_HEADERS}: a line is no header, such as 'Authorization: Bearer ...'") from None


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    value = value.strip()
    if not colon or not _NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
        # without the line, which may hold a secret
        raise argparse.ArgumentTypeError("this is no header, such as 'Authorization: Bearer ...'")
    return name, value
