"""Where logs are kept, as the configuration says it, and the store that is there."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from ..secret import Secret
from . import memory, sqlite
from .backend import Backend, StoreTrouble
from .log import Store
from .memory import MemoryStore
from .shared import SharedStore
from .sqlite import SqliteBackend

_REDIS = ("redis", "rediss", "unix", "valkey", "valkeys")


class StoreAddress(msgspec.Struct, frozen=True):
    """A store's address, by default this process's memory. ``str`` gives it without its password."""

    path: Path | None = None
    """The file, where it is SQLite's."""
    url: Secret | None = None
    """Where it is a Redis; it may hold a password."""

    def __str__(self) -> str:
        if self.url is not None:
            url = urlsplit(self.url.reveal())
            return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        return "memory" if self.path is None else f"sqlite:///{self.path}"

    @property
    def shared(self) -> bool:
        """Whether several processes can use it at once."""
        return self != StoreAddress()


def parse_store(text: str) -> StoreAddress:
    """``memory``, ``sqlite:///FILE`` (``sqlite:////FILE`` from the root) or ``redis://HOST``.

    Raises :class:`ConfigError`, which does not repeat the text: it may hold a password.
    """
    scheme, _, rest = text.partition("://")
    if text == "memory":
        return StoreAddress()
    if scheme == "sqlite" and rest.startswith("/") and rest[1:]:
        return StoreAddress(path=Path(rest[1:]))
    if scheme in _REDIS and _is_url(text):
        return StoreAddress(url=Secret(f"{scheme.replace('valkey', 'redis')}://{rest}"))
    raise ConfigError('store: not "memory", "sqlite:///FILE" or "redis://HOST:PORT/NUMBER"')


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return text.isprintable() and url.port != 0 and bool(url.path if url.scheme == "unix" else url.hostname)
    except ValueError:
        return False


async def open_store(
    address: StoreAddress,
    *,
    keep_seconds: float,
    keep_bytes: int | None,
    lease_seconds: float,
    patience: float,
    watched: Callable[[Backend], Backend] = lambda backend: backend,
) -> Store:
    """The store at an address, ready. ``keep_bytes`` of ``None`` is the store's own measure.

    :param watched: gives the backend as it is to be used.

    Raises :class:`ConfigError` when it cannot be had.
    """
    backend: Backend
    if address.path is not None:
        backend = SqliteBackend(address.path, keep_seconds=keep_seconds, keep_bytes=keep_bytes or sqlite.KEEP_BYTES)
    elif address.url is None:
        return MemoryStore(keep_seconds=keep_seconds, keep_bytes=keep_bytes or memory.KEEP_BYTES)
    else:
        try:
            from .redis import RedisBackend
        except ImportError:
            raise ConfigError('store: redis needs the extra "redis": pip install "tokenwire[redis]"') from None
        backend = RedisBackend(address.url.reveal(), keep_seconds=keep_seconds)
    store = SharedStore(watched(backend), lease_seconds=lease_seconds, patience=patience)
    try:
        await store.start()
    except StoreTrouble as trouble:
        await backend.close()
        raise ConfigError(f"the store {address} cannot be opened: {trouble}") from None
    return store
