"""What an operator gets to see, and where."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from ..errors import ConfigError
from ..secret import Secret
from .table import Table
from .variable import shown, variable

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Level = Literal["debug", "info", "warning", "error"]


class LogTable(Table, frozen=True):
    """``[log]``: how, and how much."""

    format: Literal["text", "json"] = "text"
    level: Level = "info"
    content: bool = False
    """Whether questions and answers are written to it."""


class MetricsTable(Table, frozen=True):
    """``[metrics]``: where Prometheus finds them: at a port of their own, or guarded at the main one."""

    port: Port | None = None
    host: str = "127.0.0.1"
    token_env: str | None = None
    """The variable that holds the bearer token to be sent for them."""


class TracesTable(Table, frozen=True):
    """``[traces]``: spans for OpenTelemetry."""

    enabled: bool = False
    content: bool = False
    """Whether questions and answers are put into them."""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics are served."""

    port: int | None
    """``None``: at the main port, as ``/metrics``."""
    host: str
    token: Secret | None


def metrics_of(table: MetricsTable, environ: Mapping[str, str]) -> Metrics | None:
    """What the table says; ``None`` where there are no metrics. Raises :class:`ConfigError`."""
    token = None
    if table.token_env is not None:
        value = variable("metrics.token_env", table.token_env, environ)
        if not value:
            raise ConfigError(f"metrics.token_env: {shown(table.token_env)} is not set")
        token = Secret(value)
    elif table.port is None:
        return None
    return Metrics(port=table.port, host=table.host, token=token)
