"""The command, run to its end, or until it serves."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_MODEL_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GROQ_API_KEY")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would choose a model, and with what the test says."""
    own = {name: value for name, value in os.environ.items() if name not in _MODEL_VARIABLES}
    return {**own, **(more or {})}


def tokenwire(*arguments: str | Path, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs the command to its end."""
    command = [sys.executable, "-m", "tokenwire", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(env), timeout=60)


class Serving:
    """A process that serves, and what it said when it was ready."""

    def __init__(self, process: "subprocess.Popen[str]", banner: Sequence[str]) -> None:
        self.process = process
        self.banner = "".join(banner)

    def line(self, label: str) -> str:
        """What the banner says beside a label."""
        (line,) = [line.strip() for line in self.banner.splitlines() if line.strip().startswith(f"{label}  ")]
        return line.removeprefix(label).strip()

    @property
    def url(self) -> str:
        return self.line("page")

    def stop(self, number: signal.Signals) -> int:
        """Sends a signal; gives the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def serving(errors: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """Runs ``tokenwire serve`` on a free port, in a process group of its own; its errors go to a file."""
    command = [sys.executable, "-m", "tokenwire", "serve", "--port", "0", *map(str, arguments)]
    with errors.open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(env), start_new_session=True
        )
    assert process.stdout is not None
    with process.stdout:
        banner: list[str] = []
        for line in process.stdout:
            banner.append(line)
            if "useAIChat" in line:
                break
        try:
            assert banner, f"it did not start: {errors.read_text()}"
            yield Serving(process, banner)
        finally:
            process.kill()
            process.wait()
