"""A Redis server of a test's own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tokenwire.runs.redis import RedisBackend
from tokenwire.runs.shared import SharedStore

_PATIENCE = 10.0


class RedisServer:
    """A ``redis-server`` on loopback: a context manager. It keeps nothing, or what its options say, in a folder."""

    def __init__(self, folder: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server here")
        self._program = program
        self._folder = folder
        self._options = options
        self._env = {**os.environ, **(env or {})}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill(signal.SIGKILL)

    def start(self) -> None:
        """Returns once it answers."""
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=self._env)
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError("redis-server does not answer")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                client.ping()
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False
        return True

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Returns once it is gone."""
        self._process.send_signal(number)
        self._process.wait(_PATIENCE)

    def restart(self) -> None:
        """Kills it, and starts it again at the same place."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """It stays connected and answers nothing until :meth:`resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The end of :meth:`pause`."""
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Asks it without anything of ours in between."""
        client = redis.Redis(port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0))
        try:
            yield client
        finally:
            client.close()

    def age(self, seconds: float) -> None:
        """Lets everything that expires do so that much earlier."""
        with self.client() as client:
            for key in client.scan_iter():
                left = client.pttl(key)
                if left >= 0:
                    client.pexpire(key, left - round(seconds * 1000))


class Terms(TypedDict, total=False):
    """How a store bears with others."""

    lease_seconds: float
    patience: float


@asynccontextmanager
async def redis_store(url: str, *, keep_seconds: float = 300, **terms: Unpack[Terms]) -> AsyncIterator[SharedStore]:
    """A store that was started, and is closed in the end."""
    store = SharedStore(RedisBackend(url, keep_seconds=keep_seconds), **terms)
    await store.start()
    try:
        yield store
    finally:
        await store.close()
