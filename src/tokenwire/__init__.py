"""The Python backend behind a chat hook."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.ask import Ask
    from .agents.pieces import Finish, Piece, Reasoning, ToolResult
    from .errors import Code, ConfigError, Failure, Refusal
    from .events import Usage
    from .gate.principal import Principal, Scopes
    from .gate.question import Question
    from .messages import Message, ToolCall
    from .middleware.base import Middleware
    from .runs.outcome import Outcome
    from .server.backend import ChatBackend
    from .server.route import chat_response

__version__ = "0.1.0"

__all__ = [
    "Ask",
    "ChatBackend",
    "Code",
    "ConfigError",
    "Failure",
    "Finish",
    "Message",
    "Middleware",
    "Outcome",
    "Piece",
    "Principal",
    "Question",
    "Reasoning",
    "Refusal",
    "Scopes",
    "ToolCall",
    "ToolResult",
    "Usage",
    "chat_response",
]

_HOMES = {
    "agents.ask": ("Ask",),
    "agents.pieces": ("Finish", "Piece", "Reasoning", "ToolResult"),
    "errors": ("Code", "ConfigError", "Failure", "Refusal"),
    "events": ("Usage",),
    "gate.principal": ("Principal", "Scopes"),
    "gate.question": ("Question",),
    "messages": ("Message", "ToolCall"),
    "middleware.base": ("Middleware",),
    "runs.outcome": ("Outcome",),
    "server.backend": ("ChatBackend",),
    "server.route": ("chat_response",),
}


def __getattr__(name: str) -> Any:
    # a program that is only a client does not pay for the server
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
