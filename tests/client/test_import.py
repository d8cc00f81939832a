"""A program pays for the client alone, and for its HTTP library only once it asks."""

import subprocess
import sys

_HEAVY = ("aiohttp", "uvicorn", "starlette", "tokenwire.server", "tokenwire.runs", "tokenwire.providers")
_PROGRAM = "import sys, tokenwire.client; print(*sys.modules)"


def test_what_an_import_brings_in() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    loaded = run.stdout.split()
    assert "tokenwire.client.chat" in loaded
    assert [name for name in _HEAVY if name in loaded] == []
