"""Whose code runs where keys are: every package that ``tokenwire serve`` loads, by its name."""

import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from .conftest import Serve
from .over_http.client import ask
from .over_http.wires import TANSTACK

LOCKED = Path(__file__).parents[1] / "requirements" / "run.txt"
PROFILE = {"PYTHONPROFILEIMPORTTIME": "1"}

NEEDED = {"anyio", "click", "httptools", "msgspec", "starlette", "uvicorn", "uvloop", "websockets"}
TAKEN_WHERE_THEY_ARE = {
    "tokenwire",
    *("h11", "idna", "sniffio", "typing_extensions"),  # by those, for some versions of Python or of each other
    *("multipart", "python-multipart"),  # by starlette, for forms
    "setuptools",  # by Python, at its start
}


def loaded(log: str) -> set[str]:
    """The packages of all modules that were imported."""
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in log.splitlines() if "import time:" in line}
    named = packages_distributions()
    return {name.lower() for module in modules - sys.stdlib_module_names for name in named.get(module, ())}


def test_a_server_that_answers_has_loaded_these_packages_and_no_others(serve: Serve) -> None:
    server = serve(None, **PROFILE)
    assert TANSTACK.finished(ask(server.url, body=TANSTACK.body()).read())
    assert loaded(server.log.read_text()) - TAKEN_WHERE_THEY_ARE == NEEDED


def test_each_of_them_is_locked_by_its_hash() -> None:
    locks = dict(
        re.findall(r"^([a-z0-9-]+)==.+ \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", LOCKED.read_text(), re.M)
    )
    assert set(locks) >= NEEDED


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    """No ``.pth`` file of ours, and ``import tokenwire`` is not yet a server."""
    command = [sys.executable, "-c", "import tokenwire"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **PROFILE}, check=True)
    nothing = subprocess.run([*command[:2], "pass"], capture_output=True, text=True, env={**os.environ, **PROFILE})
    assert "tokenwire" not in nothing.stderr
    assert "tokenwire" in done.stderr
    assert "uvicorn" not in done.stderr
