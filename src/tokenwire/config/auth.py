"""Who may ask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from ..gate.principal import Scopes
from ..secret import Secret
from .table import Table, is_base_url
from .variable import shown, variable

SECRET_ENV = "TOKENWIRE_SECRET"  # noqa: S105 -- the variable's name
NO_KEYS_IN_MEMORY = 'auth.keys: keys need a store that lasts: store = "sqlite:///FILE" or "redis://HOST"'
_MIN_SECRET = 32

_Symmetric = Literal["HS256", "HS384", "HS512"]
_Asymmetric = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]  # fmt: skip
_SYMMETRIC = frozenset(("HS256", "HS384", "HS512"))
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_COOKIE_NAME = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$"


class JwtTable(Table, frozen=True):
    """``[auth.jwt]``: tokens of one issuer, and where the keys are that prove them."""

    issuer: str
    audience: str | tuple[str, ...]
    algorithms: tuple[Literal[_Symmetric, _Asymmetric], ...] = ()
    jwks_url: str | None = None
    public_key_file: str | None = None
    """PEM; relative to the configuration."""
    secret_env: str | None = None
    leeway: Annotated[int, msgspec.Meta(ge=0, le=300)] = 30
    principal: str = "sub"
    """The claim that names who is asking."""
    prefix: str = "jwt:"
    """Before that name: nobody whom an issuer lets choose one becomes somebody else's key by it."""
    scopes: dict[str, str] = msgspec.field(default_factory=dict)
    """Which claim sets which scope; a token has to have it."""
    required: tuple[str, ...] = ()


class AuthTable(Table, frozen=True):
    """``[auth]``."""

    keys: bool = False
    anonymous: bool = False
    cookie: Annotated[str, msgspec.Meta(pattern=_COOKIE_NAME)] | None = None
    jwt: JwtTable | None = None


class Jwt(msgspec.Struct, frozen=True, kw_only=True):
    """``[auth.jwt]``, checked: exactly one of ``jwks_url``, ``public_key`` and ``secret`` is there."""

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    jwks_url: str | None = None
    public_key: str | None = None
    secret: Secret | None = None
    leeway: int = 30
    principal: str = "sub"
    prefix: str = "jwt:"
    scopes: dict[str, str] = msgspec.field(default_factory=dict)
    required: tuple[str, ...] = ()


class Auth(msgspec.Struct, frozen=True, kw_only=True):
    """``[auth]``, checked."""

    keys: bool = False
    anonymous: bool = False
    cookie: str | None = None
    jwt: Jwt | None = None
    pepper: Secret | None = None
    """From ``TOKENWIRE_SECRET``."""

    @property
    def configured(self) -> bool:
        """Whether it is said who may ask, be it everybody."""
        return self.keys or self.anonymous or self.jwt is not None


def auth_of(table: AuthTable, folder: Path, environ: Mapping[str, str]) -> Auth:
    """Who may ask, as a table and the environment say it. Raises :class:`ConfigError`.

    :param folder: where the files that it names are.
    """
    if table.cookie is not None and not table.keys and table.jwt is None:
        raise ConfigError("auth.cookie: it holds a key or a JWT: say auth.keys = true or add [auth.jwt]")
    return Auth(
        keys=table.keys,
        anonymous=table.anonymous,
        cookie=table.cookie,
        jwt=_jwt(table.jwt, folder, environ) if table.jwt is not None else None,
        pepper=pepper_of(environ),
    )


def pepper_of(environ: Mapping[str, str]) -> Secret | None:
    """The operator's secret that API keys are sealed with, where there is one. Raises :class:`ConfigError`."""
    pepper = environ.get(SECRET_ENV, "")
    if 0 < len(pepper) < _MIN_SECRET:
        raise ConfigError(f"{SECRET_ENV}: it is too short: {_MIN_SECRET} characters at least, at random")
    return Secret(pepper) if pepper else None


def _jwt(table: JwtTable, folder: Path, environ: Mapping[str, str]) -> Jwt:
    place = "auth.jwt"
    sources = [name for name in ("jwks_url", "public_key_file", "secret_env") if getattr(table, name) is not None]
    if len(sources) != 1:
        raise ConfigError(f"{place}: it needs one of jwks_url, public_key_file and secret_env")
    algorithms = tuple[str, ...](table.algorithms) or (("HS256",) if table.secret_env else ("RS256", "ES256"))
    # with a public key that counts as a secret, everybody can make tokens
    if any((name in _SYMMETRIC) != (table.secret_env is not None) for name in algorithms):
        raise ConfigError(f"{place}.algorithms: HS256, HS384 and HS512 go with secret_env, the others with public keys")
    audience = (table.audience,) if isinstance(table.audience, str) else table.audience
    for name, value in (
        ("issuer", table.issuer),
        ("audience", audience and all(audience)),
        ("principal", table.principal),
    ):
        if not value:
            raise ConfigError(f"{place}.{name}: it is empty")
    for scope in table.scopes:
        if scope not in Scopes.__struct_fields__:
            raise ConfigError(f"{place}.scopes.{scope}: not one of {', '.join(Scopes.__struct_fields__)}")
    return Jwt(
        issuer=table.issuer,
        audience=audience,
        algorithms=algorithms,
        jwks_url=_jwks_url(f"{place}.jwks_url", table.jwks_url),
        public_key=_public_key(f"{place}.public_key_file", table.public_key_file, folder),
        secret=_secret(f"{place}.secret_env", table.secret_env, environ),
        leeway=table.leeway,
        principal=table.principal,
        prefix=table.prefix,
        scopes=table.scopes,
        required=table.required,
    )


def _jwks_url(place: str, url: str | None) -> str | None:
    if url is not None:
        parts = urlsplit(url) if is_base_url(url.partition("?")[0]) else None
        if parts is None or (parts.scheme != "https" and parts.hostname not in _LOOPBACK):
            raise ConfigError(f"{place}: not an https address (http is for this machine only)")
    return url


def _public_key(place: str, name: str | None, folder: Path) -> str | None:
    if name is None:
        return None
    try:
        text = (folder / name).read_text("ascii")
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: {name!r}: not PEM") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{place}: {name!r}: {getattr(error, 'strerror', None) or error}") from None
    if "PRIVATE KEY" in text:
        raise ConfigError(f"{place}: {name!r} is a private key: it belongs to the issuer alone")
    return text


def _secret(place: str, name: str | None, environ: Mapping[str, str]) -> Secret | None:
    if name is None:
        return None
    value = variable(place, name, environ)
    if len(value.encode()) < _MIN_SECRET:
        problem = "is too short: 32 bytes at least" if value else "is not set"
        raise ConfigError(f"{place}: {shown(name)} {problem}")
    return Secret(value)
