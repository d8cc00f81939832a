"""The program under watch: where it answers, and all that it says."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..over_http.client import get
from .canaries import ANSWER, PROVIDER_KEY, SCRAPER_TOKEN


class Running(NamedTuple):
    url: str
    log: Path
    spans: Path
    process: "subprocess.Popen[str]"

    def metrics(self) -> str:
        answer = get(self.url, "/metrics", {"authorization": f"Bearer {SCRAPER_TOKEN}"})
        assert answer.status == 200
        return answer.body.decode()

    def stop(self) -> None:
        """Whatever it has to say is written down then."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **more: str) -> Iterator[Running]:
    """``tests.canary.program``; ``more`` is its environment, beside the secrets of :mod:`.canaries`."""
    log, spans = folder / "server.log", folder / "spans.json"
    spans.touch()
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env |= {"PROVIDER_KEY": PROVIDER_KEY, "SCRAPER": SCRAPER_TOKEN, "SPANS": str(spans), "ANSWER": ANSWER}
    env |= more
    command = [sys.executable, "-X", "dev", "-m", "tests.canary.program", *arguments]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
    assert process.stdout is not None
    with process.stdout:
        try:
            page = next((line for line in process.stdout if "page" in line), None)
            assert page is not None, log.read_text()
            yield Running(page.split()[-1], log, spans, process)
        finally:
            process.kill()
            process.wait(20)
