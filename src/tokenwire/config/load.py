"""The whole configuration: read, checked, every name resolved."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..errors import ConfigError
from ..routing.model import Model
from ..runs.address import StoreAddress, parse_store
from .disconnect import Disconnect
from .limits import Limits, Runs
from .models import ModelTable, from_environment, local_name, model_of
from .personas import Persona
from .policy import Policy
from .table import Table, convert


class Cors(Table, frozen=True):
    """``[cors]``: the origins of front ends elsewhere, exactly. Without a file: any origin on this machine."""

    origins: tuple[str, ...] = ()


class File(Table, frozen=True):
    """``tokenwire.toml``."""

    model: str | None = None
    store: str | None = None
    models: dict[str, ModelTable] = msgspec.field(default_factory=dict)
    personas: dict[str, Persona] = msgspec.field(default_factory=dict)
    cors: Cors = Cors()
    limits: Limits = Limits()
    runs: Runs = Runs()
    policy: Policy = Policy()
    disconnect: Disconnect = Disconnect()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration, checked: every name resolves, every key is there."""

    default_model: str
    models: dict[str, Model]
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
        table = from_environment(environ, model)
        name = local_name(table.model) if table.provider == "local" else table.model
        file = File(model=name, models={name or table.provider: table})
    if path is not None and model is not None:
        file = _override(file, model)
    models = {name: model_of(name, table, environ) for name, table in file.models.items()}
    if not models:
        raise ConfigError(f"{path}: no model is configured: add a [models.NAME] table")
    default = file.model or next(iter(models))
    if default not in models:
        raise ConfigError(f"model: there is no [models.{default}]")
    for name, persona in file.personas.items():
        if persona.model is not None and persona.model not in models:
            raise ConfigError(f"personas.{name}.model: there is no [models.{persona.model}]")
    if file.policy.temperature[0] > file.policy.temperature[1]:
        raise ConfigError("policy.temperature: the lower bound comes first")
    file.disconnect.check()
    for origin in file.cors.origins:
        if not re.fullmatch(r"https?://[^/*\s]+", origin):
            raise ConfigError(f"cors.origins: {origin!r} is not an origin such as https://app.example")
    return Config(
        default_model=default,
        models=models,
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
            convert(path, f"{section}.{name}", table, kind)
    return convert(path, "", data, File)


def _override(file: File, model: str) -> File:
    models = file.models
    if model.startswith("local:"):
        path = model.removeprefix("local:")
        model = local_name(path)
        models = {**models, model: ModelTable(provider="local", model=path)}
    elif model not in models:
        raise ConfigError(f"--model {model}: there is no [models.{model}]")
    return msgspec.structs.replace(file, model=model, models=models)
