"""The command ``tokenwire``."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..errors import ConfigError
from . import chat, doctor, keys, serve, usage


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and leaves the rest to ``--help``."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0, or 2 with one line on standard error for a mistake in use."""
    parser = _Parser(
        prog="tokenwire",
        description="The Python backend behind a chat hook: any LLM out, streamed in the hook's own protocol.",
    )
    parser.add_argument("--version", action="version", version=f"tokenwire {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve.add_to(commands)
    chat.add_to(commands)
    keys.add_to(commands)
    usage.add_to(commands)
    doctor.add_to(commands)
    options = parser.parse_args(argv)
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(f"tokenwire: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
