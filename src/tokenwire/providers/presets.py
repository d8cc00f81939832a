"""Providers by name: which API each speaks, where it is, and which variable holds the key. Data, no code."""

from typing import NamedTuple

from .base import Api, Quirks


class Preset(NamedTuple):
    """What a provider's name stands for."""

    base_url: str | None
    """``None`` where every account or machine has its own."""
    key_env: str | None = None
    model: str | None = None
    """What is asked for when nobody names a model."""
    api: Api = "openai-chat"
    quirks: Quirks = Quirks(reasoning_field="reasoning_effort")
    like: str = ""
    """An example of a base URL, where there is none to give."""


_OPENAI = Quirks(max_tokens_field="max_completion_tokens", reasoning_field="reasoning_effort")

PRESETS: dict[str, Preset] = {
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-4o-mini", quirks=_OPENAI),
    "openai-responses": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", api="openai-responses"),
    "anthropic": Preset("https://api.anthropic.com", "ANTHROPIC_API_KEY", api="anthropic"),
    "gemini": Preset("https://generativelanguage.googleapis.com", "GEMINI_API_KEY", api="gemini"),
    "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY", "llama-3.3-70b-versatile"),
    "together": Preset("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "openrouter": Preset(
        "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", quirks=Quirks(reasoning_field="reasoning")
    ),
    "mistral": Preset(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        quirks=Quirks(reasoning_field="reasoning_effort", call_id_length=9, stream_options=False),
    ),
    "deepseek": Preset(
        "https://api.deepseek.com", "DEEPSEEK_API_KEY", quirks=Quirks(reasoning_field="thinking", reasoning_back=True)
    ),
    "xai": Preset("https://api.x.ai/v1", "XAI_API_KEY"),
    "fireworks": Preset("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "cerebras": Preset("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "nvidia": Preset("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    "huggingface": Preset("https://router.huggingface.co/v1", "HF_TOKEN"),
    "perplexity": Preset("https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
    "cohere": Preset("https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    "moonshot": Preset("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "azure": Preset(
        None,
        "AZURE_OPENAI_API_KEY",
        quirks=Quirks(
            key_header="api-key", max_tokens_field="max_completion_tokens", reasoning_field="reasoning_effort"
        ),
        like="https://NAME.openai.azure.com/openai/v1",
    ),
    "bedrock": Preset(
        None,
        "AWS_BEARER_TOKEN_BEDROCK",
        quirks=_OPENAI,
        like="https://bedrock-runtime.REGION.amazonaws.com/openai/v1",
    ),
    "ollama": Preset("http://127.0.0.1:11434", api="ollama"),
    "vllm": Preset("http://127.0.0.1:8001/v1"),
    "llamacpp": Preset("http://127.0.0.1:8080/v1"),
    "lmstudio": Preset("http://127.0.0.1:1234/v1"),
    "openai-compatible": Preset(None, like="https://HOST/v1"),
}
