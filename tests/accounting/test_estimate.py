"""The estimate of what was told, against what providers report of the same answers."""

from pathlib import Path

import pytest

from tokenwire.ledger.estimate import Told, told_in
from tokenwire.providers.base import Answer, Quirks
from tokenwire.providers.codecs import CODECS

GOLDEN = Path(__file__).parent.parent / "golden" / "upstreams"


@pytest.mark.parametrize(
    "transcript",
    [
        "openai-chat/openai.sse",
        "openai-responses/text.sse",
        "anthropic/text.sse",
        "gemini/text.sse",
        "ollama/text.ndjson",
    ],
)
def test_plain_text_is_estimated_within_a_factor_of_two(transcript: str) -> None:
    path = GOLDEN / transcript
    codec = next(codec for api, codec in CODECS.items() if api == path.parent.name)
    parser = codec.parser("msg", Quirks())
    told = told_in([*parser.feed(path.read_bytes()), *parser.end()])
    answer = parser.outcome
    assert isinstance(answer, Answer)
    assert answer.usage is not None
    assert answer.usage.completion_tokens is not None
    assert 0.5 <= told.tokens / answer.usage.completion_tokens <= 2


def test_pieces_are_tokens_at_least() -> None:
    told = Told()
    for piece in ("1", "2", "345678"):
        told.add(piece)
    assert told.tokens == 3
    told.add("日本語の文章です" * 4)
    assert told.tokens == 26
