"""The command line."""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from .contender import BUILT_IN, MEMORY, RAIS, STORES, Contender, shell_command
from .workload import WORKLOADS

KNOWN = {contender.name: contender for contender in (*BUILT_IN, *STORES)}
GROUPS = {"standard": BUILT_IN, "stores": (MEMORY, *STORES)}

EPILOG = """\
examples:
  make bench ARGS='--reps 1 --workloads P,T'
  make bench ARGS='--only stores --workloads P,F,R'
  .venv/bin/python -m bench --workloads P,B --extra mine='python3 relay.py $PORT $UPSTREAM'

A repetition of everything with the standard contenders takes about two minutes. Exit status: 0 measured; 1 a
contender failed or answered wrongly, or (with --check) is over its budget; 2 a program is missing or an option is
wrong.
"""


@dataclass(frozen=True)
class Options:
    """What is to be measured, and what becomes of the result."""

    contenders: list[Contender]
    workloads: list[str]
    repetitions: int
    check: bool
    json: Path | None

    @classmethod
    def parse(cls, argv: list[str] | None) -> Self:
        parser = _parser()
        given = parser.parse_args(argv)
        if given.reps < 1:
            parser.error("--reps: at least one")
        named = chain.from_iterable(GROUPS.get(name) or [KNOWN[name]] for name in given.only)
        once = {contender.name: contender for contender in named}
        contenders = [*once.values(), *_extras(given, parser)]
        return cls(contenders, given.workloads, given.reps, given.check, given.json)


def _parser() -> argparse.ArgumentParser:
    rooms = [f"  {name:<20}{workload.summary}" for name, workload in WORKLOADS.items()]
    servers = [f"  {contender.name:<20}POST {contender.path}" for contender in KNOWN.values()]
    groups = [f"  {name:<20}{', '.join(contender.name for contender in group)}" for name, group in GROUPS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="What streaming costs in tokenwire, and in nginx as a byte relay beside it, in one run.",
        epilog="\n".join(["workloads:", *rooms, "", "contenders:", *servers, "", "groups:", *groups, "", EPILOG]),
    )
    add = parser.add_argument
    add("--reps", type=int, default=3, metavar="N", help="repetitions, each with fresh servers (default 3)")
    add("--workloads", type=_some_of(WORKLOADS), default=[*WORKLOADS], metavar="M,…", help="some of those below")
    some = _some_of([*KNOWN, *GROUPS])
    add("--only", type=some, default=["standard"], metavar="NAME,…", help="contenders or groups (default standard)")
    add("--check", action="store_true", help="exit 1 when over a budget: for a quiet machine")
    add("--json", type=Path, metavar="FILE", help="write every figure of every repetition")
    extra = parser.add_argument_group(
        "one more contender",
        "A server that listens on 127.0.0.1:$PORT and asks the OpenAI-compatible model at $UPSTREAM/v1.\n"
        "The other options are for the --extra of the same NAME.",
    )
    for option, value, text in (
        ("", "COMMAND", "run by bash, with PORT and UPSTREAM in its environment"),
        ("-path", "PATH", "where it takes a chat (default /api/chat)"),
        ("-body", "JSON", "what it is sent, {id} becoming a unique id (default: what a RAIS client sends)"),
        ("-header", "'K: V'", "a header it is sent (repeatable)"),
        ("-cancel", "PATH", "where a POST cancels the run {id}"),
    ):
        extra.add_argument(
            f"--extra{option}", action="append", default=[], type=_pair, metavar=f"NAME={value}", help=text
        )
    return parser


def _some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        if strangers := {*text.split(",")} - {*known}:
            raise argparse.ArgumentTypeError(f"{', '.join(strangers)}? there are {', '.join(known)}")
        return text.split(",")

    return names


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _extras(given: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Contender]:
    commands, paths, bodies, cancels = map(
        dict[str, str], (given.extra, given.extra_path, given.extra_body, given.extra_cancel)
    )
    headers: dict[str, dict[str, str]] = defaultdict(dict)
    for name, header in given.extra_header:
        key, _, value = header.partition(":")
        headers[name][key.strip()] = value.strip()
    for name in {*paths, *bodies, *cancels, *headers} - {*commands}:
        parser.error(f"no --extra is called {name!r}")
    for name in commands.keys() & {*KNOWN, *GROUPS}:
        parser.error(f"--extra: {name!r} is taken")
    return [
        Contender(
            name=name,
            command=shell_command(command),
            path=paths.get(name, "/api/chat"),
            body=bodies.get(name, RAIS),
            headers=headers[name],
            cancel=cancels.get(name),
        )
        for name, command in commands.items()
    ]
