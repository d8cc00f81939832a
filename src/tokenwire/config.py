"""The operator's configuration: a TOML file, or what the environment says without one.

Unknown keys are errors that name their path. Keys of providers come from environment variables only.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from .errors import ConfigError
from .providers.base import Target
from .providers.presets import PRESETS
from .runs.address import StoreAddress, parse_store
from .secret import Secret

EMBEDDED = "smollm2"
"""The embedded model: what is served when nothing else is configured."""

_EMBEDDED_MAX_TOKENS = 1024
"""So small a model may never find an end by itself."""

CHAT_ROUTES = ("/api/chat", "/api/chat/ndjson", "/api/chat/rais", "/api/chat/tanstack", "/api/chat/ws")
"""Where questions are asked."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
_T = TypeVar("_T")

Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ModelTable(_Table, frozen=True):
    """``[models.NAME]``: a name that requests may ask for, and where it is."""

    provider: str
    model: str | None = None
    base_url: str | None = None
    key_env: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    description: str = ""


class Persona(_Table, frozen=True):
    """``[personas.NAME]``: a system prompt, and optionally a model and parameters of its own."""

    system: str
    model: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    description: str = ""
    greeting: str = ""


class Cors(_Table, frozen=True):
    """``[cors]``: the origins of front ends elsewhere, exactly. Without a file: any origin on this machine."""

    origins: tuple[str, ...] = ()


class Limits(_Table, frozen=True):
    """``[limits]``: what one request, and all of them together, may take."""

    body_bytes: Positive = 4 * 1024 * 1024
    body_seconds: Seconds = 15.0
    messages: Positive = 1000
    runs: Positive = 10_000
    run_bytes: Positive = 32 * 1024 * 1024
    ahead_bytes: Positive = 4 * 1024 * 1024
    readers: Positive = 5000


class Runs(_Table, frozen=True):
    """``[runs]``: how long things are waited for and kept."""

    keep_seconds: Seconds = 300.0
    keep_bytes: Positive | None = None
    heartbeat_seconds: Seconds = 15.0
    connect_seconds: Seconds = 10.0
    silence_seconds: Seconds = 120.0
    lease_seconds: Seconds = 10.0
    store_seconds: Seconds = 10.0
    drain_seconds: Annotated[float, msgspec.Meta(ge=0)] = 25.0


class Policy(_Table, frozen=True):
    """``[policy]``: within which bounds a request may choose."""

    refused: Literal["ignore", "reject"] = "ignore"
    temperature: tuple[Temperature, Temperature] = (0.0, 2.0)
    max_tokens: Positive = 32_768


class Disconnect(_Table, frozen=True):
    """``[disconnect]``: what follows when the last reader of a run leaves, by wire, or by the address it was asked at.

    ``"continue"``, ``"cancel"``, or ``"grace(SECONDS)"``. Clients that come back by themselves get longer.
    """

    rais: str = "grace(1)"
    tanstack: str = "grace(30)"
    tanstack_legacy: str = "grace(1)"
    routes: dict[str, str] = {}
    """By path (``"/api/chat/ws"``); it wins over the wire's."""

    def grace(self, wire: str, route: str) -> float | None:
        """Seconds that a run without readers goes on; ``None`` for as long as it takes."""
        return _grace(self.routes.get(route) or getattr(self, wire.replace("-", "_")))

    def check(self) -> None:
        """Raises :class:`ConfigError` for a policy that is none, or of an address where nothing is asked."""
        for route in self.routes:
            if route not in CHAT_ROUTES:
                raise ConfigError(f'disconnect.routes."{route}": is not one of {", ".join(CHAT_ROUTES)}')
        wires = {name: getattr(self, name) for name in self.__struct_fields__ if name != "routes"}
        for place, policy in (*wires.items(), *((f'routes."{route}"', text) for route, text in self.routes.items())):
            try:
                _grace(policy)
            except ValueError:
                raise ConfigError(
                    f'disconnect.{place}: {policy!r} is not "continue", "cancel" or "grace(SECONDS)"'
                ) from None


def _grace(policy: str) -> float | None:
    if policy == "continue":
        return None
    if policy == "cancel":
        return 0.0
    match = re.fullmatch(r"grace\((\d+(?:\.\d+)?)\)", policy)
    if match is None:
        raise ValueError(policy)
    return float(match[1])


class File(_Table, frozen=True):
    """``tokenwire.toml``."""

    model: str | None = None
    store: str | None = None
    models: dict[str, ModelTable] = {}
    personas: dict[str, Persona] = {}
    cors: Cors = Cors()
    limits: Limits = Limits()
    runs: Runs = Runs()
    policy: Policy = Policy()
    disconnect: Disconnect = Disconnect()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration, checked: every name resolves, every key is there."""

    default_model: str
    targets: dict[str, Target]
    descriptions: dict[str, str]
    personas: dict[str, Persona]
    origins: tuple[str, ...] | None
    """``None`` without a file: any origin on this machine."""
    limits: Limits
    runs: Runs
    policy: Policy
    disconnect: Disconnect
    store: StoreAddress


def load(path: Path | None, environ: Mapping[str, str], model: str | None = None, store: str | None = None) -> Config:
    """The configuration from a file, or without one from the environment.

    :param model: overrides the default model: with a file a name in it, without one the upstream's own name; and
        in both cases ``local:FILE.gguf``.
    :param store: overrides ``TOKENWIRE_STORE``, which overrides the file's ``store``.
    :raises ConfigError: with one line that names the place.
    """
    if path is not None:
        file = _read(path)
    else:
        table = _from_environment(environ, model)
        name = _local_name(table.model) if table.provider == "local" else table.model
        file = File(model=name, models={name or table.provider: table})
    if path is not None and model is not None:
        file = _override(file, model)
    targets = {name: _target(name, table, environ) for name, table in file.models.items()}
    if not targets:
        raise ConfigError(f"{path}: no model is configured: add a [models.NAME] table")
    default = file.model or next(iter(targets))
    if default not in targets:
        raise ConfigError(f"model: there is no [models.{default}]")
    for name, persona in file.personas.items():
        if persona.model is not None and persona.model not in targets:
            raise ConfigError(f"personas.{name}.model: there is no [models.{persona.model}]")
    if file.policy.temperature[0] > file.policy.temperature[1]:
        raise ConfigError("policy.temperature: the lower bound comes first")
    file.disconnect.check()
    for origin in file.cors.origins:
        if not re.fullmatch(r"https?://[^/*\s]+", origin):
            raise ConfigError(f"cors.origins: {origin!r} is not an origin such as https://app.example")
    return Config(
        default_model=default,
        targets=targets,
        descriptions={name: table.description for name, table in file.models.items()},
        personas=file.personas,
        origins=None if path is None else file.cors.origins,
        limits=file.limits,
        runs=file.runs,
        policy=file.policy,
        disconnect=file.disconnect,
        store=parse_store(store or environ.get("TOKENWIRE_STORE") or file.store or "memory"),
    )


def _read(path: Path) -> File:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    # one by one, because an error within a table of tables would not say which
    for section, kind in (("models", ModelTable), ("personas", Persona)):
        tables = data.get(section)
        for name, table in tables.items() if isinstance(tables, dict) else ():
            _convert(path, f"{section}.{name}", table, kind)
    return _convert(path, "", data, File)


def _convert(path: Path, place: str, data: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        problem, _, within = str(error).partition(" - at `$")
        place = f"{place}{within.rstrip('`')}".lstrip(".") or "top level"
        raise ConfigError(f"{path}: {place}: {problem}") from None


def _from_environment(environ: Mapping[str, str], model: str | None) -> ModelTable:
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


def _override(file: File, model: str) -> File:
    models = file.models
    if model.startswith("local:"):
        path = model.removeprefix("local:")
        model = _local_name(path)
        models = {**models, model: ModelTable(provider="local", model=path)}
    elif model not in models:
        raise ConfigError(f"--model {model}: there is no [models.{model}]")
    return msgspec.structs.replace(file, model=model, models=models)


def _local_name(model: str | None) -> str:
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
    if not _is_base_url(base_url):
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


def _is_base_url(text: str) -> bool:
    if not text.isascii() or not re.fullmatch(r"https?://[^/\s@?#]+(/[^\s?#]*)?", text):
        return False
    try:
        url = urlsplit(text)
        return bool(url.hostname) and url.port != 0
    except ValueError:
        return False
