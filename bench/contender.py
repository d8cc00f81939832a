"""The servers that are compared: how each is started, and what a client sends it."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    """Where a server shall listen, where its upstream does, and a folder of its own."""

    port: int
    upstream_port: int
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
    """A server as one kind of client sees it; `{id}` in body and cancel stands for a request's id."""

    name: str
    command: Callable[[Place], Command]
    path: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cancel: str | None = None
    budgeted: bool = False


def nginx_command(place: Place) -> Command:
    config = place.folder / "nginx.conf"
    config.write_text(nginx.CONFIG.format(folder=place.folder, port=place.port, upstream_port=place.upstream_port))
    return Command(["nginx", "-p", str(place.folder), "-c", str(config)])


def tokenwire_command(place: Place) -> Command:
    options = {"--host": "127.0.0.1", "--port": f"{place.port}", "--model": "bench", "--log-level": "warning"}
    return Command(
        [sys.executable, "-m", "tokenwire", "serve", *chain.from_iterable(options.items())],
        {"OPENAI_BASE_URL": f"{place.upstream}/v1", "OPENAI_API_KEY": "bench"},
    )


def shell_command(text: str) -> Callable[[Place], Command]:
    """A command for bash, run from here; `exec` spares a process between."""
    here = shlex.quote(str(Path.cwd()))

    def command(place: Place) -> Command:
        env = {"PORT": str(place.port), "UPSTREAM": place.upstream}
        return Command(["bash", "-c", f"cd {here} && exec {text}"], env)

    return command


NGINX = Contender("nginx", nginx_command, "/v1/chat/completions", OPENAI)
BUILT_IN = (
    NGINX,
    Contender("tokenwire-rais", tokenwire_command, "/api/chat", RAIS, budgeted=True),
    Contender(
        "tokenwire-tanstack",
        tokenwire_command,
        "/api/chat",
        TANSTACK,
        cancel="/api/chat/runs/{id}/cancel",
        budgeted=True,
    ),
)


def environment(command: Command) -> dict[str, str]:
    """Ours and the command's, without a proxy: every connection is on the loopback."""
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | dict(command.env)
