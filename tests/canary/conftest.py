"""Every kind of store, and what is in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ..runs.redis_server import RedisServer
from .canaries import STORE_PASSWORD


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """An address, and what gives all that is kept there."""
    if request.param == "memory":
        yield "memory", lambda: b""
    elif request.param == "sqlite":
        files = tmp_path / "store"
        files.mkdir()
        yield f"sqlite:///{files}/runs.db", lambda: b"".join(path.read_bytes() for path in sorted(files.iterdir()))
    else:
        with RedisServer(tmp_path, "--requirepass", STORE_PASSWORD) as server:
            yield server.url.replace("//", f"//:{STORE_PASSWORD}@"), lambda: _dump(server.port)


def _dump(port: int) -> bytes:
    with redis.Redis(port=port, password=STORE_PASSWORD) as client:
        kept = []
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            if kind == b"hash":
                value: Any = client.hgetall(key)
            elif kind == b"stream":
                value = client.xrange(key)
            elif kind == b"string":
                value = client.get(key)
            elif kind == b"zset":
                value = client.zrange(key, 0, -1)
            else:
                value = client.smembers(key)
            kept.append(repr((key, value)).encode())
        return b"\n".join(kept)
