"""Models: the names that requests may ask for, and where each is."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError
from ..providers.base import Target
from ..providers.presets import PRESETS
from ..routing.model import Choice, Model
from ..secret import Secret
from .table import Positive, Table, Temperature, is_base_url

EMBEDDED = "smollm2"
"""The embedded model: what is served when nothing else is configured."""

_EMBEDDED_MAX_TOKENS = 1024
"""So small a model may never find an end by itself."""


class ModelTable(Table, frozen=True):
    """``[models.NAME]``: a name that requests may ask for, and where it is."""

    provider: str
    model: str | None = None
    base_url: str | None = None
    key_env: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    description: str = ""


def model_of(name: str, table: ModelTable, environ: Mapping[str, str]) -> Model:
    """The model that a table describes. Raises :class:`ConfigError`."""
    return Model(name, (Choice(_target(name, table, environ)),), table.description)


def from_environment(environ: Mapping[str, str], model: str | None) -> ModelTable:
    """The model that is served without a file."""
    if model is not None and model.startswith("local:"):
        return ModelTable(provider="local", model=model.removeprefix("local:"))
    if environ.get("OPENAI_API_KEY") or environ.get("OPENAI_BASE_URL"):
        return ModelTable(
            provider="openai",
            model=model or PRESETS["openai"].model,
            base_url=environ.get("OPENAI_BASE_URL"),
            key_env="OPENAI_API_KEY" if environ.get("OPENAI_API_KEY") else "",
        )
    if environ.get("GROQ_API_KEY"):
        return ModelTable(provider="groq", model=model or PRESETS["groq"].model)
    if model not in (None, EMBEDDED):
        raise ConfigError(f"--model {model}: set OPENAI_API_KEY or GROQ_API_KEY, or give local:FILE.gguf")
    return ModelTable(provider="local", model=EMBEDDED, description="A very small model on this machine")


def local_name(model: str | None) -> str:
    """A name that requests can ask for and anybody may see: not where the file lies."""
    return Path(model or EMBEDDED).name.removesuffix(".gguf")


def _target(name: str, table: ModelTable, environ: Mapping[str, str]) -> Target:
    """``key_env = ""`` says that no key is sent."""
    place = f"models.{name}"
    preset = PRESETS.get(table.provider)
    if table.provider == "local":
        return Target(
            name=name,
            provider="local",
            model=table.model or EMBEDDED,
            base_url="",
            temperature=table.temperature,
            max_tokens=table.max_tokens or (_EMBEDDED_MAX_TOKENS if table.model in (None, EMBEDDED) else None),
        )
    if preset is None and table.provider != "openai-compatible":
        known = ", ".join(["local", "openai-compatible", *PRESETS])
        raise ConfigError(f"{place}.provider: {table.provider!r} is not one of {known}")
    base_url = table.base_url or (preset.base_url if preset else None)
    if base_url is None:
        raise ConfigError(f"{place}.base_url: an openai-compatible provider needs one")
    if not is_base_url(base_url):
        raise ConfigError(f"{place}.base_url: not an http or https address without user, query or fragment")
    model = table.model or (preset.model if preset else None)
    if model is None:
        raise ConfigError(f"{place}.model: name the upstream's model")
    key_env = table.key_env if table.key_env is not None else (preset.key_env if preset else None)
    if key_env and not environ.get(key_env):
        raise ConfigError(f"{place}.key_env: the environment variable {key_env} is not set")
    key = environ.get(key_env, "") if key_env else ""
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(f"{place}.key_env: the value of {key_env} is not a key: it holds spaces or odd characters")
    return Target(
        name=name,
        provider=table.provider,
        model=model,
        base_url=base_url.rstrip("/"),
        key=Secret(key) if key else None,
        temperature=table.temperature,
        max_tokens=table.max_tokens,
    )
