"""Servers with middleware."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tokenwire.testing import ThreadedUpstream

PATIENCE = 20.0

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "upstream-of-small"

[runs]
lease_seconds = 1
store_seconds = 1
"""


class Program:
    """A running ``program.py``."""

    def __init__(self, process: subprocess.Popen[str], outcomes: Path, log: Path) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()
        self.log = log
        self._outcomes = outcomes

    def kill(self) -> None:
        """Ends it without a warning."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def leave(self) -> None:
        """Ends it as an operator would, and returns when it is gone."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    def outcomes(self, count: int = 0) -> list[dict[str, Any]]:
        """All that were told so far, by whichever process; waits until there are so many."""
        give_up = time.monotonic() + PATIENCE
        while True:
            lines = self._outcomes.read_text().splitlines() if self._outcomes.exists() else []
            if len(lines) >= count:
                return [json.loads(line) for line in lines]
            assert time.monotonic() < give_up, f"only {lines}: {self.log.read_text()}"
            time.sleep(0.02)


Start = Callable[..., Program]


@pytest.fixture
def start(upstream: ThreadedUpstream, tmp_path: Path) -> Iterator[Start]:
    """``start(*names)`` starts a server with this middleware, which shares its store with the others of a test."""
    config = tmp_path / "tokenwire.toml"
    config.write_text(f'store = "sqlite:///{tmp_path}/runs.db"\n' + CONFIG.format(upstream=upstream.base_url))
    with ExitStack() as stack:
        count = 0

        def start(*names: str) -> Program:
            nonlocal count
            count += 1
            outcomes, log = tmp_path / "outcomes", tmp_path / f"{count}.log"
            with log.open("w") as errors:
                process = stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.middleware.program", str(config), str(outcomes), *names],
                        cwd=Path(__file__).parents[2],
                        env=dict(os.environ),
                        stdout=subprocess.PIPE,
                        stderr=errors,
                        text=True,
                    )
                )
            stack.callback(process.kill)
            return Program(process, outcomes, log)

        yield start
