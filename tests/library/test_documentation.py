"""The applications of the documentation answer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tokenwire.errors import Code, Failure

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
PROGRAMS = {
    program: PAGE.read_text()[: match.start()].count("\n") + 1
    for match in re.finditer(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    if "\napp = " in (program := match[1]) and "Ask" in program
}
ASK = """
from starlette.testclient import TestClient

with TestClient(app) as client:
    for _ in range(2):
        print(client.post(PATH, json={"messages": [{"role": "user", "content": "Hello"}]}).text)
"""


def test_there_are_some() -> None:
    assert len(PROGRAMS) == 6


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: f"line {PROGRAMS[program]}")
def test_a_documented_application_answers(program: str) -> None:
    path = "/ai/api/chat" if '"/ai"' in program else "/api/chat"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + ASK.replace("PATH", repr(path))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r'\{"type":"text","text":"(You asked: )?Hello"\}', done.stdout)) == 2


def test_every_code_is_told_of_here_or_with_the_providers() -> None:
    row = re.compile(r"^\| `(\w+)` \| (\d{3}) \| ([^|]+) \| ", re.M)
    told = [found for page in (PAGE, PAGE.with_name("providers.md")) for found in row.findall(page.read_text())]
    assert sorted(told) == sorted((code, str(Failure(code).status), Failure(code).message) for code in Code)
