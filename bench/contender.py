"""The servers that are compared: how each is started, and what a client sends it."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from . import nginx

USER = {"role": "user", "content": "hi"}
OPENAI = json.dumps({"model": "bench", "messages": [USER], "stream": True})
RAIS = json.dumps({"messages": [USER]})
TANSTACK = json.dumps(
    {
        "threadId": "t-{id}",
        "runId": "{id}",
        "state": {},
        "messages": [{"id": "m1", **USER}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }
)


@dataclass(frozen=True)
class Place:
    """Where a server shall listen, where its upstream and a program beside it do, and a folder of its own."""

    port: int
    upstream_port: int
    beside_port: int
    folder: Path

    @property
    def upstream(self) -> str:
        """The upstream's address, without /v1."""
        return f"http://127.0.0.1:{self.upstream_port}"


@dataclass(frozen=True)
class Command:
    """What to execute in the folder of its own; `env` is added to the environment."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """A server as one kind of client sees it; `{id}` in body, join and cancel stands for a request's id.

    `beside` is what it needs beside it, in a process that is not counted. It is set against its `yardstick`.
    """

    name: str
    command: Callable[[Place], Command]
    path: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    join: str | None = None
    cancel: str | None = None
    beside: Callable[[Place], Command] | None = None
    programs: tuple[str, ...] = ()
    yardstick: str = "nginx"


def nginx_command(place: Place) -> Command:
    config = place.folder / "nginx.conf"
    config.write_text(nginx.CONFIG.format(folder=place.folder, port=place.port, upstream_port=place.upstream_port))
    return Command(["nginx", "-p", str(place.folder), "-c", str(config)])


def tokenwire_command(place: Place, store: str | None = None) -> Command:
    options = {"--host": "127.0.0.1", "--port": f"{place.port}", "--model": "bench", "--log-level": "warning"}
    if store:
        options["--store"] = store
    return Command(
        [sys.executable, "-m", "tokenwire", "serve", *chain.from_iterable(options.items())],
        {"OPENAI_BASE_URL": f"{place.upstream}/v1", "OPENAI_API_KEY": "bench"},
    )


def sqlite_command(place: Place) -> Command:
    return tokenwire_command(place, f"sqlite:///{place.folder / 'runs.db'}")


def on_redis_command(place: Place) -> Command:
    return tokenwire_command(place, f"redis://127.0.0.1:{place.beside_port}")


def redis_command(place: Place) -> Command:
    """Nothing on disk: what is measured is tokenwire."""
    options = {"--bind": "127.0.0.1", "--port": f"{place.beside_port}", "--save": "", "--appendonly": "no"}
    return Command(["redis-server", *chain.from_iterable(options.items())])


def shell_command(text: str) -> Callable[[Place], Command]:
    """A command for bash, run from here; `exec` spares a process between."""
    here = shlex.quote(str(Path.cwd()))

    def command(place: Place) -> Command:
        env = {"PORT": str(place.port), "UPSTREAM": place.upstream}
        return Command(["bash", "-c", f"cd {here} && exec {text}"], env)

    return command


NGINX = Contender("nginx", nginx_command, "/v1/chat/completions", OPENAI, programs=("nginx",), yardstick="")
MEMORY = Contender(
    "tokenwire-tanstack",
    tokenwire_command,
    "/api/chat",
    TANSTACK,
    join="/api/chat?offset=-1&runId={id}",
    cancel="/api/chat/runs/{id}/cancel",
)
BUILT_IN = (
    NGINX,
    Contender("tokenwire-rais", tokenwire_command, "/api/chat", RAIS),
    MEMORY,
)
REDIS = replace(
    MEMORY,
    name="tokenwire-redis",
    command=on_redis_command,
    beside=redis_command,
    programs=("redis-server",),
    yardstick=MEMORY.name,
)
STORES = (replace(MEMORY, name="tokenwire-sqlite", command=sqlite_command, yardstick=MEMORY.name), REDIS)


def environment(command: Command) -> dict[str, str]:
    """Ours and the command's, without a proxy: every connection is on the loopback."""
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | dict(command.env)
