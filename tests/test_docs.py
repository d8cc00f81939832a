"""Every snippet of the documentation does what the page says of it."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tokenwire.cli import main
from tokenwire.config import load
from tokenwire.providers.presets import PRESETS
from tokenwire.testing import Reply, ThreadedUpstream

from .conftest import Serve

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/hooks/*.md"))]
KEYS = dict.fromkeys(
    ("OWN_API_KEY", "LITELLM_API_KEY", *(preset.key_env for preset in PRESETS.values() if preset.key_env)), "sk-test"
)
DOCUMENTED_SERVER = "http://127.0.0.1:8000"


DOCUMENTED_MODELS = """
[models.fast]
provider = "openai-compatible"
base_url = "{upstream}"
model = "any"

[personas.support-agent]
system = "You help customers."
"""


def code(*languages: str) -> list[tuple[str, str]]:
    """Page and line, and the text, of every snippet in one of the languages."""
    return [(place, match[2]) for place, match in blocks(r"^```(\w+)\n(.*?)^```$") if match[1] in languages]


def blocks(pattern: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Page and line of everything on the pages that matches."""
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(pattern, text, re.M | re.S):
            yield f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}", match


PROGRAMS = dict(blocks(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?"))


def snippets(*languages: str) -> pytest.MarkDecorator:
    found = code(*languages)
    return pytest.mark.parametrize("snippet", [text for _, text in found], ids=[place for place, _ in found])


def test_every_language_of_the_pages_is_checked() -> None:
    found = {language for page in PAGES for language in re.findall(r"^```(\w+)$", page.read_text(), re.M)}
    assert found <= {"sh", "bash", "toml", "tsx", "python", "text"}


@snippets("toml")
def test_toml_is_a_configuration(snippet: str, tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    needs_a_model = "[models." not in snippet
    file.write_text(snippet + ('\n[models.any]\nprovider = "local"\n' if needs_a_model else ""))
    load(file, KEYS)


@pytest.mark.parametrize("place", PROGRAMS)
def test_python_runs(place: str, request: pytest.FixtureRequest) -> None:
    """A program that asks the documented server asks one here, and prints what the block after it says."""
    program, output = PROGRAMS[place].groups()
    if (server := urlsplit(DOCUMENTED_SERVER).netloc) in program:
        request.getfixturevalue("upstream").default = Reply(text=("Hi", " there"))
        url = request.getfixturevalue("serve")(DOCUMENTED_MODELS).url
        program = program.replace(server, urlsplit(url).netloc)
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert output is None or done.stdout == output


@snippets("sh", "bash")
def test_commands_run(
    snippet: str, serve: Serve, upstream: ThreadedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.default = Reply(text=("Hi", " there"))
    for command in re.sub(r"\\\n", " ", snippet).splitlines():
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            subprocess.run([*words, "-n"], cwd=ROOT, check=True, capture_output=True)
        elif words[0] == "tokenwire":
            with pytest.raises(SystemExit, match="0"):
                main([*words[1:], "--help"])
            assert "usage" in capsys.readouterr().out
        elif words[0] == "python":
            subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)
        else:
            assert words[0] == "curl"
            line = command.replace(DOCUMENTED_SERVER, serve().url)
            done = subprocess.run(
                ["sh", "-c", f"{line} -sS -m 20 -w '\\n%{{http_code}}'"], capture_output=True, text=True
            )
            answer, _, status = done.stdout.rpartition("\n")
            if "Last-Event-ID" in line:
                assert status == "204"  # the page's run is long gone here
            elif "/cancel" in line:
                assert status == "404"
            else:
                assert status == "200"
                assert '{"type":"text","text":"Hi' in answer
                assert '{"type":"done"}' in answer


def test_front_end_code_builds_against_the_real_packages() -> None:
    done = subprocess.run(
        ["node", ROOT / "tests" / "bundle.mjs"],
        input=json.dumps(code("tsx")),
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link
