"""The APIs that the scripted upstream speaks, one module each."""

from .anthropic import AnthropicMessages
from .base import Wire
from .gemini import Gemini
from .ollama import OllamaChat
from .openai_chat import OpenAIChat
from .openai_responses import OpenAIResponses

__all__ = ["WIRES", "Wire", "wire_at"]

WIRES: tuple[Wire, ...] = (OpenAIChat(), OpenAIResponses(), AnthropicMessages(), Gemini(), OllamaChat())


def wire_at(path: str) -> Wire | None:
    """The wire whose requests are posted to this path."""
    return next((wire for wire in WIRES if wire.serves(path)), None)
