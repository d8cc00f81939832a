"""``tokenwire doctor``."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from ..errors import ConfigError

_DESCRIPTION = """\
Look for what is wrong: in a configuration, or in a running deployment with all that stands before it.

Nothing is changed, and no model is asked. Each finding says what was seen, why it matters and what to do.
"""

_EPILOG = """\
examples:
  tokenwire doctor --config tokenwire.toml
  tokenwire doctor https://chat.example --origin https://app.example
  tokenwire doctor https://chat.example --header "Authorization: Bearer tw_..." --slow --json

exit codes: 0 all is well, 1 something should be done, 2 it could not be looked at
"""


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "doctor",
        help="look for what is wrong with a configuration or a deployment",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", nargs="?", metavar="URL", help="a deployment, as its users reach it")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a configuration file; without it and URL, what the environment says",
    )
    parser.add_argument("--store", metavar="URL", help="the store, in place of the configuration's")
    parser.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="sent with every request to the deployment; may be given more than once",
    )
    parser.add_argument(
        "--origin", type=_origin, metavar="ORIGIN", help="of a front end that is served from elsewhere, to be let in"
    )
    parser.add_argument("--slow", action="store_true", help="look, too, whether a stream survives two heartbeats")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints what was found."""
    from ..doctor.report import as_json, as_text, exit_code

    if options.url is None:
        if options.header or options.origin or options.slow:
            raise ConfigError("doctor: --header, --origin and --slow are for a deployment: give its URL")
        findings = _configuration(options)
    else:
        findings = _deployment(options)
        if options.config is not None:
            findings = [*_configuration(options), *findings]
    sys.stdout.write(as_json(findings) if options.json else as_text(findings))
    return exit_code(findings)


def _configuration(options: argparse.Namespace) -> list[Any]:
    from ..config import load
    from ..doctor import plain_text
    from ..doctor.configuration import examine

    # the file first: what the environment holds is not known as a secret yet, and is none of its words
    in_file = [] if options.config is None else list(plain_text.check(options.config))
    return [*in_file, *examine(load(options.config, os.environ, store=options.store))]


def _deployment(options: argparse.Namespace) -> list[Any]:
    from ..doctor.deployment import examine
    from ..doctor.exchange import Deployment

    deployment = Deployment(options.url, dict(options.header))
    return list(examine(deployment, origin=options.origin, slow=options.slow))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (colon and name.strip() and text.isascii() and text.isprintable()):
        raise argparse.ArgumentTypeError("a header is like 'Authorization: Bearer …'")
    return name.strip(), value.strip()


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[^/*\s]+", text):
        raise argparse.ArgumentTypeError("an origin is like https://app.example, without a path or a slash")
    return text
