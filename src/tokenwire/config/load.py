"""The whole configuration: read, checked, every name resolved."""

import tomllib
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ..errors import ConfigError
from ..gate.origin import is_origin
from ..routing.model import Model
from ..runs.address import StoreAddress, parse_store
from .accounts import Accounting, Budgets, Price, Rates, Server
from .auth import NO_KEYS_IN_MEMORY, Auth, AuthTable, auth_of
from .byok import Byok
from .disconnect import Disconnect
from .limits import Limits, Runs
from .models import ModelTable, from_environment, local_name, model_of
from .observe import LogTable, Metrics, MetricsTable, TracesTable, metrics_of
from .personas import Persona, PersonaTable, persona_of
from .policy import ModelPolicy, Policy
from .table import Table, convert


class Cors(Table, frozen=True):
    """``[cors]``: the origins of front ends elsewhere, exactly. Without a file: any origin on this machine."""

    origins: tuple[str, ...] = ()


class File(Table, frozen=True):
    """``tokenwire.toml``."""

    model: str | None = None
    store: str | None = None
    timezone: str = "UTC"
    models: dict[str, ModelTable] = msgspec.field(default_factory=dict)
    personas: dict[str, PersonaTable] = msgspec.field(default_factory=dict)
    auth: AuthTable = AuthTable()
    cors: Cors = Cors()
    server: Server = Server()
    limits: Limits = Limits()
    rates: Rates = Rates()
    budgets: Budgets = Budgets()
    accounting: Accounting = Accounting()
    runs: Runs = Runs()
    policy: Policy = Policy()
    byok: Byok = Byok()
    disconnect: Disconnect = Disconnect()
    log: LogTable = LogTable()
    metrics: MetricsTable = MetricsTable()
    traces: TracesTable = TracesTable()


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
    model_policies: dict[str, ModelPolicy] = msgspec.field(default_factory=dict)
    timezone: tzinfo = UTC
    """In which personas know the date and the time."""
    auth: Auth = Auth()
    byok: Byok = Byok()
    server: Server = Server()
    rates: Rates = Rates()
    budgets: Budgets = Budgets()
    accounting: Accounting = Accounting()
    prices: dict[str, Price] = msgspec.field(default_factory=dict)
    """The operator's own, by the models' names."""
    log: LogTable = LogTable()
    metrics: Metrics | None = None
    traces: TracesTable = TracesTable()


def load(path: Path | None, environ: Mapping[str, str], model: str | None = None, store: str | None = None) -> Config:
    """The configuration from a file, or without one from the environment.

    :param model: overrides the default model: with a file a name in it, without one the upstream's own name; and
        in both cases ``local:FILE.gguf``.
    :param store: overrides ``TOKENWIRE_STORE``, which overrides the file's ``store``.
    :raises ConfigError: with one line that names the place.
    """
    if path is not None:
        file = read(path)
    else:
        table = from_environment(environ, model)
        name = local_name(table.model) if table.provider == "local" else table.model
        file = File(model=name, models={name or table.provider: table})
    if path is not None and model is not None:
        file = _override(file, model)
    if not file.models:
        raise ConfigError(f"{path}: no model is configured: add a [models.NAME] table")
    return resolve(
        file,
        environ,
        folder=path.parent if path is not None else Path(),
        origins=None if path is None else file.cors.origins,
        store=store,
    )


def resolve(
    file: File,
    environ: Mapping[str, str],
    *,
    folder: Path,
    origins: tuple[str, ...] | None,
    store: str | None = None,
    agents: Mapping[str, Model] | None = None,
) -> Config:
    """The configuration that a file's tables make, wherever they come from.

    :param folder: where the files that it names are.
    :param store: as in :func:`load`.
    :param agents: models that stand in no table.
    :raises ConfigError: with one line that names the place.
    """
    file.byok.check()
    models = {name: model_of(name, table, environ, file.byok.providers) for name, table in file.models.items()}
    for name, agent in (agents or {}).items():
        if name in models:
            raise ConfigError(f"models.{name}: there is an agent of that name")
        models[name] = agent
    default = file.model or next(iter(models), "")
    if default and default not in models:
        raise ConfigError(f"model: there is no [models.{default}]")
    personas = {name: persona_of(name, table, folder) for name, table in file.personas.items()}
    for name, persona in personas.items():
        _check_names(f"personas.{name}.model", "models", [persona.model] if persona.model else [], models)
        _check_names(f"personas.{name}.policy.models", "models", persona.policy.models, models)
    for name, table in file.models.items():
        table.policy.check(f"models.{name}.policy")
    file.policy.check("policy")
    _check_names("policy.models", "models", file.policy.models, models)
    _check_names("policy.personas", "personas", file.policy.personas, personas)
    file.disconnect.check()
    file.server.check()
    _check_providers(file.policy.providers, models.values())
    for origin in origins or ():
        if not is_origin(origin):
            raise ConfigError(f"cors.origins: {origin!r} is not an origin as browsers write it: https://app.example")
    address = parse_store(store or environ.get("TOKENWIRE_STORE") or file.store or "memory")
    if file.auth.keys and not address.shared:
        raise ConfigError(NO_KEYS_IN_MEMORY)
    return Config(
        default_model=default,
        models=models,
        personas=personas,
        origins=origins,
        limits=file.limits,
        runs=file.runs,
        policy=file.policy,
        disconnect=file.disconnect,
        store=address,
        model_policies={name: table.policy for name, table in file.models.items()},
        timezone=_timezone(file.timezone),
        auth=auth_of(file.auth, folder, environ),
        byok=file.byok,
        server=file.server,
        rates=file.rates,
        budgets=file.budgets,
        accounting=file.accounting,
        prices={name: table.price for name, table in file.models.items() if table.price is not None},
        log=file.log,
        metrics=metrics_of(file.metrics, environ),
        traces=file.traces,
    )


def _check_names(place: str, section: str, names: Iterable[str] | None, known: Container[str]) -> None:
    for name in names or ():
        if name not in known:
            raise ConfigError(f"{place}: there is no [{section}.{name}]")


def _check_providers(names: Iterable[str] | None, models: Iterable[Model]) -> None:
    known = {target.provider for model in models for target in model.targets}
    for name in names or ():
        if name not in known:
            raise ConfigError(f"policy.providers: no model is at {name!r}, but at {', '.join(sorted(known))}")


def _timezone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # also where there is no time zone database
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ConfigError(f"timezone: {name!r} is not known here: a name such as Europe/Berlin") from None


def read(path: Path) -> File:
    """A file's tables. Raises :class:`ConfigError`."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    return tables(data, str(path))


def tables(data: Mapping[str, Any], place: str) -> File:
    """A file's content as its tables. Raises :class:`ConfigError`."""
    # one by one, because an error within a table of tables would not say which
    for section, kind in (("models", ModelTable), ("personas", PersonaTable)):
        named = data.get(section)
        for name, table in named.items() if isinstance(named, dict) else ():
            convert(place, f"{section}.{name}", table, kind)
    return convert(place, "", data, File)


def _override(file: File, model: str) -> File:
    models = file.models
    if model.startswith("local:"):
        path = model.removeprefix("local:")
        model = local_name(path)
        models = {**models, model: ModelTable(provider="local", model=path)}
    elif model not in models:
        raise ConfigError(f"--model {model}: there is no [models.{model}]")
    return msgspec.structs.replace(file, model=model, models=models)
