"""A network of this machine's own, in which links fail."""

import asyncio
import os
import shutil
import subprocess
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from .arena import Unavailable


class Network:
    """Namespaces behind a bridge: a context manager, which leaves nothing behind.

    The host is on the bridge. Namespaces count from 1.
    """

    def __init__(self, count: int) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise Unavailable("networks are made by root, with ip of iproute2")
        self._count = count
        pid = os.getpid()
        self._bridge = f"tw{pid}"
        self._subnet = f"10.{200 + pid // 250 % 50}.{pid % 250}"
        self.host = f"{self._subnet}.1"

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            try:
                self._make(undo)
            except subprocess.CalledProcessError as error:
                raise Unavailable(f"no network can be made here: {error.stderr.strip()}") from error
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def address(self, number: int) -> str:
        """A namespace's."""
        return f"{self._subnet}.{number + 1}"

    def within(self, number: int) -> list[str]:
        """What runs a command in a namespace."""
        return ["ip", "netns", "exec", self._name(number)]

    def unplug(self, number: int) -> None:
        """From now on nothing passes from or to a namespace, and nobody is told."""
        _ip("link", "set", self._name(number), "down")

    def plug_in(self, number: int) -> None:
        """The end of that."""
        _ip("link", "set", self._name(number), "up")

    def _make(self, undo: ExitStack) -> None:
        _ip("link", "add", self._bridge, "type", "bridge")
        undo.callback(_ip, "link", "delete", self._bridge)
        _ip("address", "add", f"{self.host}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for number in range(1, self._count + 1):
            name = self._name(number)
            _ip("netns", "add", name)
            undo.callback(_ip, "netns", "delete", name)
            _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            undo.callback(_ip, "link", "delete", name)
            _ip("link", "set", name, "master", self._bridge, "up")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")

    def _name(self, number: int) -> str:
        return f"{self._bridge}-{number}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@asynccontextmanager
async def relayed(host: str, url: str) -> AsyncIterator[str]:
    """Makes a server on loopback known at another address of this machine; gives its URL there."""
    target = urlsplit(url)

    async def accept(reader: StreamReader, writer: StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(accept, host)
    try:
        yield target._replace(netloc=f"{host}:{server.sockets[0].getsockname()[1]}").geturl()
    finally:
        server.close()


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
