"""The Node programs of this directory, one process each, playing scenarios for the tests."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import pytest

HERE = Path(__file__).parent
Scenario = dict[str, Any]
T = TypeVar("T")


def install() -> None:
    """Installs the pinned packages, unless that is done."""
    if shutil.which("npm") is None:
        pytest.skip("the real clients need Node 20 or newer")
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--silent"], cwd=HERE, check=True)


class Node:
    """A program of :file:`lines.mjs` kind: a JSON line in for each scenario, a JSON line out for each result."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._begun = 0
        self._ended: dict[int, dict[str, Any]] = {}
        self._told: set[tuple[int, str]] = set()

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile("w+")  # lives as long as the process
        self._process = subprocess.Popen(
            ["node", "--experimental-websocket", self._program],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._stderr, self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def begin(self, scenario: Scenario, read: Callable[[Any], T]) -> "Playing[T]":
        """Starts a scenario, the result of which ``read`` will read. Several play side by side."""
        self._begun += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": self._begun, "scenario": scenario}) + "\n")
        self._process.stdin.flush()
        return Playing(self, self._begun, read)

    def play_all(self, scenarios: Iterable[Scenario], read: Callable[[Any], T]) -> list[T]:
        """Plays scenarios side by side, to the end of the last."""
        return [playing.result() for playing in [self.begin(scenario, read) for scenario in scenarios]]

    def read(self) -> Any:
        """The next line the program wrote; an error with what it logged when there is none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._stderr.seek(0)
            raise RuntimeError(f"{self._program} ended: {self._stderr.read()[-4000:]}")
        return json.loads(line)

    def result(self, number: int) -> Any:
        """The result of a scenario, by its number."""
        while number not in self._ended:
            self._listen()
        end = self._ended.pop(number)
        if "failure" in end:
            raise RuntimeError(end["failure"])
        return end["result"]

    def wait(self, number: int, word: str) -> None:
        """Returns once a scenario has told that word."""
        while (number, word) not in self._told:
            if number in self._ended:
                raise RuntimeError(f"it never told {word!r}: {self._ended[number]}")
            self._listen()

    def _listen(self) -> None:
        line = self.read()
        if "told" in line:
            self._told.add((line["id"], line["told"]))
        else:
            self._ended[line["id"]] = line


class Playing(Generic[T]):
    """A scenario under way."""

    def __init__(self, node: Node, number: int, read: Callable[[Any], T]) -> None:
        self._node = node
        self._number = number
        self._read = read

    def wait(self, word: str) -> None:
        """Returns once the scenario reached its step ``["tell", word]``."""
        self._node.wait(self._number, word)

    def result(self) -> T:
        """What application and network saw, once it is over."""
        return self._read(self._node.result(self._number))
