"""The codecs by the API they speak."""

from .base import Api, Provider
from .openai_chat import OpenAIChat

CODECS: dict[Api, Provider] = {"openai-chat": OpenAIChat()}
