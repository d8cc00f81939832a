"""``tokenwire serve``."""

import argparse
import ipaddress
import logging
import os
import socket
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from ..config import Config, load
from ..errors import ConfigError

logger = logging.getLogger("tokenwire")

_DESCRIPTION = """\
Serve chat hooks (TanStack AI's useChat, react-ai-stream's useAIChat) with answers of a model.

Which model, without a configuration file:
  OPENAI_API_KEY set      OpenAI, or whatever speaks its API at OPENAI_BASE_URL
  GROQ_API_KEY set        Groq
  neither                 the embedded model, on this machine, without a key
"""

_EPILOG = """\
examples:
  tokenwire serve
  GROQ_API_KEY=... tokenwire serve --model llama-3.3-70b-versatile
  OPENAI_BASE_URL=http://127.0.0.1:11434/v1 tokenwire serve --model qwen3
  tokenwire serve --model local:mistral-7b.Q4_K_M.gguf
  tokenwire serve --config tokenwire.toml --host 0.0.0.0 --port 80
  tokenwire serve --store sqlite:///runs.db --workers 4

signals: SIGTERM finishes the answers under way and stops, SIGINT stops at once, SIGHUP (with --workers) replaces the
workers one by one.

a configuration file (all of it optional but one model; docs/configuration.md has the rest):
  [models.fast]
  provider = "groq"
  model = "llama-3.3-70b-versatile"

  [personas.support-agent]
  system = "You help customers of the Example shop. Be brief."
  temperature = 0.3

  [cors]
  origins = ["https://app.example"]

  [auth]
  keys = true               # who may ask (docs/auth.md): without it, this machine only
"""


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "serve",
        help="serve chat hooks over HTTP",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on, 0 for any (default: %(default)s)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (tokenwire.toml)")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="the upstream's model, or local:FILE.gguf; with a configuration file, one of its models",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where answers are kept: memory (default), sqlite:///FILE, redis://HOST:PORT; or set TOKENWIRE_STORE, "
        "where a password stays out of the process list",
    )
    parser.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="N",
        help="processes to serve with; more than one need a store that they can share (default: %(default)s)",
    )
    parser.add_argument(
        "--reuse-port",
        action="store_true",
        help="let another process listen on the same port: start the new one, then stop the old one",
    )
    parser.add_argument(
        "--fd", type=_descriptor, metavar="N", help="serve on the listening socket that this process inherited"
    )
    parser.add_argument("--lifeline", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="what goes to the log on standard error (default: what the file says, else info)",
    )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        help="how it is written: for people, or an object a line (default: what the file says, else text)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    # the server's modules are imported when they are needed, so that --help does not wait for them
    from ..observe.content_log import WARNING
    from ..observe.logs import configure
    from ..observe.telemetry import workers_meet
    from ..server.listener import bind, inherit
    from ..server.serve import serve
    from ..server.workers import Lifeline, supervise

    config = load(options.config, os.environ, options.model, options.store)
    log = config.log
    configure(options.log_format or log.format, options.log_level or log.level, content=log.content)
    if log.content and options.lifeline is None:
        logger.warning(WARNING)
    if options.workers > 1 and not config.store.shared:
        raise ConfigError(
            f"--workers {options.workers}: the workers need a store that they can share: "
            "--store sqlite:///FILE on one machine, --store redis://HOST on any number of them"
        )
    shared = options.reuse_port and options.fd is None
    listener = inherit(options.fd) if options.fd is not None else bind(options.host, options.port, shared)
    with listener:
        _check_access(config, listener)
        host, port = listener.getsockname()[:2]
        banner = partial(print, _banner(config, host, port), flush=True)
        if options.workers > 1:
            with workers_meet() if config.metrics is not None else nullcontext():
                return supervise(_worker_command(options), listener, options.workers, on_ready=banner, shared=shared)
        if options.lifeline is not None:
            lifeline = Lifeline(options.lifeline)
            serve(config, listener, on_ready=lifeline.hold)
        else:
            serve(config, listener, on_ready=banner, shared=shared)
    return 0


def _check_access(config: Config, listener: socket.socket) -> None:
    """Who is not told whom to answer answers nobody but this machine. Raises :class:`ConfigError`."""
    host = listener.getsockname()[0]
    if not config.auth.configured and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise ConfigError(
            f"on {host} everybody could ask: say in the configuration who may, [auth] keys = true or [auth.jwt], "
            "or [auth] anonymous = true for everybody"
        )


def _worker_command(options: argparse.Namespace) -> list[str]:
    """The command of one worker, but for what it inherits."""
    command = [sys.executable, "-m", "tokenwire", "serve"]
    if options.log_level is not None:
        command += ["--log-level", options.log_level]
    if options.log_format is not None:
        command += ["--log-format", options.log_format]
    if options.config is not None:
        command += ["--config", str(options.config)]
    if options.model is not None:
        command += ["--model", options.model]
    if options.store is not None:
        command += ["--store", options.store]
    return command


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers")
    return int(text)


def _descriptor(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a file descriptor")
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


def _banner(config: Config, host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{shown}:{port}"
    target = config.models[config.default_model].first
    model = target.name if target.name == target.model else f"{target.name} = {target.model}"
    where = "embedded, on this machine" if target.provider == "local" else f"{target.provider}, {target.base_url}"
    return f"""
  tokenwire serves {model} ({where})

  page             {url}
  access           {_access(config)}
  curl             curl -N {url}/api/chat -d '{{"messages":[{{"role":"user","content":"Hello"}}]}}'
  TanStack AI      useChat({{ connection: fetchServerSentEvents('{url}/api/chat') }})
  react-ai-stream  useAIChat({{ endpoint: '{url}/api/chat' }})
"""


def _access(config: Config) -> str:
    auth = config.auth
    if not auth.configured:
        return "this machine only, and there everybody: nothing says who may ask ([auth])"
    ways = (
        ["API keys"] * auth.keys + [f"JWTs of {auth.jwt.issuer}" if auth.jwt else ""] + ["everybody"] * auth.anonymous
    )
    return ", ".join(filter(None, ways))
