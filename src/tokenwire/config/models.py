"""Models: the names that requests may ask for, and where each is."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..errors import ConfigError
from ..providers.base import Effort, Target, Timeouts
from ..providers.presets import PRESETS
from ..routing.model import RETRIES, Choice, Model
from ..secret import Secret
from .accounts import Price
from .policy import ModelPolicy
from .table import Positive, Seconds, Table, Temperature, is_base_url
from .variable import shown, variable

EMBEDDED = "smollm2"
"""The embedded model: what is served when nothing else is configured."""

_EMBEDDED_MAX_TOKENS = 1024
"""So small a model may never find an end by itself."""

Weight = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class TimeoutsTable(Table, frozen=True):
    """``[models.NAME.timeouts]``: seconds that an answer may take, part by part."""

    connect: Seconds | None = None
    first_token: Seconds | None = None
    between_tokens: Seconds | None = None
    answer: Seconds | None = None


class _Asking(Table, frozen=True):
    """Where a model is, and how it is asked."""

    model: str | None = None
    base_url: str | None = None
    key_env: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    reasoning: Effort | None = None
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    timeouts: TimeoutsTable = TimeoutsTable()
    retries: Count | None = None


class TargetTable(_Asking, frozen=True, kw_only=True):
    """``[[models.NAME.targets]]``: one of the places where a model is."""

    provider: str
    weight: Weight = 1.0


class ModelTable(_Asking, frozen=True, kw_only=True):
    """``[models.NAME]``: a name that requests may ask for, and where it is, or how its targets are asked."""

    provider: str = ""
    targets: tuple[TargetTable, ...] = ()
    description: str = ""
    policy: ModelPolicy = ModelPolicy()
    price: Price | None = None


def model_of(name: str, table: ModelTable, environ: Mapping[str, str], brought: Container[str] = ()) -> Model:
    """The model that a table describes. Raises :class:`ConfigError`.

    :param brought: the providers whose keys a request may bring.
    """
    place = f"models.{name}"
    if table.targets:
        for key in ("provider", "model", "base_url", "key_env"):
            if getattr(table, key):
                raise ConfigError(f"{place}.{key}: a model with targets says this of each of them")
        choices = tuple(
            _choice(name, f"{place}.targets[{number}]", _completed(target, table), environ, brought)
            for number, target in enumerate(table.targets)
        )
    else:
        if not table.provider:
            raise ConfigError(f"{place}.provider: name one, or add [[{place}.targets]]")
        target = TargetTable(provider=table.provider, model=table.model, base_url=table.base_url, key_env=table.key_env)
        choices = (_choice(name, place, _completed(target, table), environ, brought),)
    return Model(name, choices, table.description)


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
    return ModelTable(
        provider="local",
        model=EMBEDDED,
        description="A very small model on this machine",
        temperature=0.2,  # it loses the thread above that
        max_tokens=512,  # and does not find it again
    )


def local_name(model: str | None) -> str:
    """A name that requests can ask for and anybody may see: not where the file lies."""
    return Path(model or EMBEDDED).name.removesuffix(".gguf")


def _completed(target: TargetTable, model: ModelTable) -> TargetTable:
    """The same, with what the model says where it says nothing itself."""
    return msgspec.structs.replace(
        target,
        temperature=model.temperature if target.temperature is None else target.temperature,
        max_tokens=target.max_tokens or model.max_tokens,
        reasoning=target.reasoning or model.reasoning,
        params={**model.params, **target.params},
        timeouts=TimeoutsTable(
            connect=target.timeouts.connect or model.timeouts.connect,
            first_token=target.timeouts.first_token or model.timeouts.first_token,
            between_tokens=target.timeouts.between_tokens or model.timeouts.between_tokens,
            answer=target.timeouts.answer or model.timeouts.answer,
        ),
        retries=model.retries if target.retries is None else target.retries,
    )


def _choice(name: str, place: str, table: TargetTable, environ: Mapping[str, str], brought: Container[str]) -> Choice:
    retries = RETRIES if table.retries is None else table.retries
    return Choice(_target(name, place, table, environ, brought), table.weight, retries)


def _target(name: str, place: str, table: TargetTable, environ: Mapping[str, str], brought: Container[str]) -> Target:
    """``key_env = ""`` says that no key of the operator's is sent."""
    target = Target(
        name=name,
        provider=table.provider,
        model=table.model or EMBEDDED,
        base_url="",
        temperature=table.temperature,
        max_tokens=table.max_tokens,
        reasoning=table.reasoning,
        params=table.params,
        timeouts=Timeouts(**msgspec.structs.asdict(table.timeouts)),
    )
    if table.provider == "local":
        for key in ("base_url", "key_env"):
            if getattr(table, key):
                raise ConfigError(f"{place}.{key}: a model in a process of our own has none")
        most = table.max_tokens or (_EMBEDDED_MAX_TOKENS if target.model == EMBEDDED else None)
        return msgspec.structs.replace(target, max_tokens=most)
    preset = PRESETS.get(table.provider)
    if preset is None:
        known = ", ".join(["local", *PRESETS])
        raise ConfigError(f"{place}.provider: {table.provider!r} is not one of {known}")
    base_url = table.base_url or preset.base_url
    if base_url is None:
        raise ConfigError(f"{place}.base_url: the provider {table.provider} needs one, like {preset.like}")
    if not is_base_url(base_url):
        raise ConfigError(f"{place}.base_url: not an http or https address without user, query or fragment")
    model = table.model or preset.model
    if model is None:
        raise ConfigError(f"{place}.model: name the upstream's model")
    key_env = table.key_env if table.key_env is not None else preset.key_env
    key = variable(f"{place}.key_env", key_env, environ) if key_env else ""
    if key_env and not key and (table.key_env or table.provider not in brought):
        raise ConfigError(f"{place}.key_env: {shown(key_env)} is not set")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(f"{place}.key_env: the value of {key_env} is not a key: it holds spaces or odd characters")
    return msgspec.structs.replace(
        target,
        api=preset.api,
        model=model,
        base_url=base_url.rstrip("/"),
        key=Secret(key) if key else None,
        needs_key=not key and preset.key_env is not None and table.provider in brought,
        quirks=preset.quirks,
    )
