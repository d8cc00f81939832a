"""Providers by name: where they are and which variable holds the key. Data, no code."""

from typing import NamedTuple


class Preset(NamedTuple):
    """A provider that speaks OpenAI's chat completions."""

    base_url: str
    key_env: str | None
    model: str | None = None
    """What is asked for when nobody names a model."""


PRESETS: dict[str, Preset] = {
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-4o-mini"),
    "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY", "llama-3.3-70b-versatile"),
    "together": Preset("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "openrouter": Preset("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "ollama": Preset("http://127.0.0.1:11434/v1", None),
    "vllm": Preset("http://127.0.0.1:8001/v1", None),
    "llamacpp": Preset("http://127.0.0.1:8080/v1", None),
}
