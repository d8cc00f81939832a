"""The program `wire` (wire.go): built here, and run as the load. `upstream.py` runs it as the model."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import MeasurementError
from .server import Server

SOURCE = Path(__file__).with_name("wire.go")
PATIENCE = 60.0


def build(cache: Path) -> Path:
    """Compile wire.go from the standard library alone: no network, no module proxy."""
    program = cache / "wire"
    env = {
        "GO111MODULE": "off",
        "GOCACHE": str(cache / "go-build"),
        "GOENV": "off",
        "GOFLAGS": "",
        "GOPATH": str(cache / "go-path"),
        "GOPROXY": "off",
    }
    subprocess.run(["go", "build", "-o", program, SOURCE], env=os.environ | env, check=True)
    return program


@dataclass(frozen=True)
class Load:
    """Streams that each post `rounds` times; every reply, of `tokens` tokens, has `readers` that stay to its end."""

    streams: int
    rounds: int
    tokens: int
    stagger: float = 0.0
    readers: int = 1

    @property
    def replies(self) -> int:
        return self.streams * self.rounds * self.readers


def run_load(wire: Path, server: Server, load: Load, watch: Callable[[], None] | None = None) -> dict[str, float]:
    """What wire.go's load prints, all replies being right; `watch` is called every tenth of a second."""
    argv = [str(wire), "load", "-url", server.url, "-body", server.contender.body]
    argv += ["-streams", str(load.streams), "-rounds", str(load.rounds), "-expect", str(load.tokens)]
    argv += ["-stagger", f"{load.stagger:f}s"]
    if load.readers > 1:
        argv += ["-readers", str(load.readers), "-join", server.join_url]
    for name, value in server.contender.headers.items():
        argv += ["-header", f"{name}: {value}"]
    deadline = time.monotonic() + PATIENCE
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while True:
            try:
                out, err = process.communicate(timeout=0.1)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    process.kill()
                    raise MeasurementError(f"the load did not end within {PATIENCE:.0f} s") from None
                if watch:
                    watch()
    if process.returncode:
        raise MeasurementError(f"the load ended with {process.returncode}: {err.strip()[-400:]}")
    figures: dict[str, float] = json.loads(out)
    if figures["failed"] or figures["wrong_count"]:
        raise MeasurementError(
            f"of {load.replies} readings {figures['failed']} failed and {figures['wrong_count']} "
            f"had not {load.tokens} tokens {err.strip()[-400:]}"
        )
    return figures
