"""The embedded model, for real: what somebody without any key gets."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .server import Server, served

NO_KEYS = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "GROQ_API_KEY": ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("embedded") / "log", env=NO_KEYS) as server:
        yield server


def ask(url: str, **body: object) -> list[dict[str, object]]:
    question = [{"role": "user", "content": "Say hello to me in one short English sentence."}]
    data = json.dumps({"messages": question, "temperature": 0, "max_tokens": 32, **body}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_it_answers(server: Server) -> None:
    events = ask(f"{server.url}/api/chat")
    assert "".join(str(event.get("text", "")) for event in events).strip()
    assert events[-1] == {"type": "done"}


def test_it_is_asked_for_no_more_tokens_than_wanted(server: Server) -> None:
    *_, end = ask(f"{server.url}/api/chat", runId="run-short", max_tokens=3)
    assert (end["type"], end["finishReason"], end["model"]) == ("RUN_FINISHED", "length", "smollm2")
    assert isinstance(usage := end["usage"], dict)
    assert usage["completionTokens"] == 3


def test_where_its_file_lies_is_not_told(server: Server) -> None:
    told = json.dumps(ask(f"{server.url}/api/chat", runId="run-path", max_tokens=1))
    with urllib.request.urlopen(f"{server.url}/models") as answer:
        told += answer.read().decode()
    assert "smollm2" in told
    assert ".gguf" not in told
    assert str(Path(__file__).parents[1]) not in told
