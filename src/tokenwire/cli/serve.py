"""``tokenwire serve``."""

import argparse
import logging
import os
from pathlib import Path
from typing import Any

from ..config import Config, load

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

a configuration file (all of it optional but one model; docs/configuration.md has the rest):
  [models.fast]
  provider = "groq"
  model = "llama-3.3-70b-versatile"

  [personas.support-agent]
  system = "You help customers of the Example shop. Be brief."
  temperature = 0.3

  [cors]
  origins = ["https://app.example"]
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
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="what goes to the log on standard error (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    # the server's modules are imported when they are needed, so that --help does not wait for them
    from ..server.serve import bind, serve

    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = load(options.config, os.environ, options.model)
    with bind(options.host, options.port) as listener:
        host, port = listener.getsockname()[:2]
        serve(config, listener, log_level="warning", on_ready=lambda: print(_banner(config, host, port), flush=True))
    return 0


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 0 to 65535")
    return int(text)


def _banner(config: Config, host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{shown}:{port}"
    target = config.targets[config.default_model]
    model = target.name if target.name == target.model else f"{target.name} = {target.model}"
    where = "embedded, on this machine" if target.provider == "local" else f"{target.provider}, {target.base_url}"
    return f"""
  tokenwire serves {model} ({where})

  page             {url}
  curl             curl -N {url}/api/chat -d '{{"messages":[{{"role":"user","content":"Hello"}}]}}'
  TanStack AI      useChat({{ connection: fetchServerSentEvents('{url}/api/chat') }})
  react-ai-stream  useAIChat({{ endpoint: '{url}/api/chat' }})
"""
