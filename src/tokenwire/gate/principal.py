"""Who is asking, and what they may."""

import time

import msgspec


class Scopes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a principal may ask for; ``None`` is everything that the configuration offers."""

    models: tuple[str, ...] | None = None
    personas: tuple[str, ...] | None = None
    tools: tuple[str, ...] | None = None
    """Names of what an agent may use in this principal's name."""
    origins: tuple[str, ...] | None = None
    """Where a browser may ask from in this principal's name."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_runs: int | None = None
    day_tokens: int | None = None
    month_tokens: int | None = None
    day_dollars: float | None = None
    month_dollars: float | None = None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking. Runs and threads belong to ``name``."""

    name: str
    """Empty for everybody who does not have to say who they are."""
    key: str | None = None
    """The public part of the API key it was said with, where it was one."""
    rotation: int | None = None
    """By which secret of a key of tokenwire's own: 0 is the first, and each rotation makes the next."""
    scopes: Scopes = Scopes()
    expires: float | None = None
    """Unix time after which this is no longer true."""

    @property
    def expired(self) -> bool:
        """Whether that time has come."""
        return self.expires is not None and time.time() >= self.expires


ANONYMOUS = Principal(name="")
"""The one principal there is where nobody has to say who they are."""
