"""The tables of docs/providers.md are true, cell by cell: what is said there is built, read and refused here."""

import base64
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from tokenwire.config.models import ModelTable, model_of
from tokenwire.errors import Code, Failure, UpstreamFailure
from tokenwire.messages import Media, MediaKind, Message, Part, Reasoning, Text, ToolCall, message
from tokenwire.providers.base import Answer, Api, Effort, Prompt, Quirks, Target, sealed
from tokenwire.providers.codecs import CODECS
from tokenwire.providers.presets import PRESETS, Preset
from tokenwire.routing.breaker import Breaker, Rule
from tokenwire.routing.retry import is_final, is_transient

from .providers.transcripts import TRANSCRIPTS, Read, Said

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "providers.md").read_text()
PROOFS = dict(re.findall(r"^\[([^\]]+)\]: \.\./(\S+)$", PAGE, re.M))
SENTENCES = {int(number): (code, text) for number, code, text in re.findall(r"^(\d+)\. `(\w+)`: (.+)$", PAGE, re.M)}
KEY = "sk-test"
NAMES = [*PRESETS, "local"]


def table(first: str) -> list[dict[str, str]]:
    """The rows of all tables whose first column has this title, by the titles of their columns."""
    rows: list[dict[str, str]] = []
    titles: list[str] = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            titles = []
        elif not titles:
            titles = cells
        elif titles[0] == first and not cells[0].startswith("---"):
            rows.append(dict(zip(titles, cells, strict=True)))
    return rows


def quoted(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


class Cell(NamedTuple):
    """What the page says of one feature, and of which providers."""

    names: tuple[str, ...]
    feature: str
    word: str
    proof: str
    sentences: frozenset[str]

    @property
    def targets(self) -> list[Target]:
        return [target(name) for name in self.names]

    @property
    def api(self) -> Api:
        return self.targets[0].api


def _cell(names: tuple[str, ...], feature: str, text: str) -> Cell:
    found = re.fullmatch(r"(?:\[(yes)\]\[(.+?)\]|(no|none))((?: \(\d+\))*)", text)
    assert found, f"{names[0]}, {feature}: {text}"
    sentences = frozenset(SENTENCES[int(number)][1] for number in re.findall(r"\d+", found[4]))
    return Cell(names, feature, found[1] or found[3], PROOFS[found[2]] if found[2] else "", sentences)


def target(name: str, model: str = "m", **fields: Any) -> Target:
    preset = PRESETS.get(name)
    url = preset.like if preset and preset.base_url is None else None
    environ = {preset.key_env: KEY} if preset and preset.key_env else {}
    return model_of("it", ModelTable(provider=name, model=model, base_url=url, **fields), environ).first


CELLS = [
    _cell(quoted(row["provider"]), feature, text)
    for row in table("provider")
    for feature, text in row.items()
    if feature != "provider"
]


def built(to: Target, messages: Iterable[Message], **options: Any) -> str:
    """The body that asks this. Raises :class:`UpstreamFailure`."""
    return CODECS[to.api].build(to, Prompt(messages=tuple(messages), **options)).body.decode()


def test_every_provider_has_a_row_of_each_table_with_those_that_are_asked_alike() -> None:
    rows = table("provider")
    titles = {tuple(row) for row in rows}
    assert len(titles) == 3
    for columns in titles:
        named = [name for row in rows if tuple(row) == columns for name in quoted(row["provider"])]
        assert sorted(named) == sorted(NAMES)
    for row in rows:
        alike = [(to.api, replace(to.quirks, key_header=None)) for to in map(target, quoted(row["provider"]))]
        assert alike == alike[:1] * len(alike)


def test_every_feature_is_checked() -> None:
    features = {cell.feature for cell in CELLS}
    assert features == {*SHOWN, *SENT, "errors", "temperature", "max tokens", "reasoning effort"}


def test_every_proof_is_there_and_used() -> None:
    assert set(re.findall(r"\[yes\]\[(.+?)\]", PAGE)) == set(PROOFS)
    for proof in PROOFS.values():
        path, _, function = proof.partition("#")
        assert not function or f"def {function}(" in (ROOT / path).read_text(), proof
        assert (ROOT / path).exists(), proof


def test_every_sentence_is_told_by_somebody() -> None:
    assert {sentence for cell in CELLS for sentence in cell.sentences} == {text for _, text in SENTENCES.values()}
    assert {code for code, _ in SENTENCES.values()} == {Code.unsupported_content}


# what comes out


def _usage(said: Said, *fields: str) -> bool:
    usage = said.outcome.usage if isinstance(said.outcome, Answer) else None
    return any(getattr(usage, field, None) for field in fields)


def _ends(reason: str) -> Callable[[Said], bool]:
    return lambda said: isinstance(said.outcome, Answer) and said.outcome.reason == reason


SHOWN: dict[str, Callable[[Said], bool]] = {
    "text": lambda said: bool(said.text),
    "reasoning": lambda said: bool(said.reasoning),
    "its seal": lambda said: bool(said.signatures) or any(call.signature for call in said.calls),
    "tool calls": lambda said: bool(said.calls),
    "usage": lambda said: _usage(said, "prompt_tokens") and _usage(said, "completion_tokens"),
    "cached tokens": lambda said: _usage(said, "cached_tokens", "cache_write_tokens"),
    "cut short": _ends("length"),
    "filtered, refused": _ends("content_filter"),
}


def cells(*features: str) -> pytest.MarkDecorator:
    chosen = [cell for cell in CELLS if cell.feature in features]
    return pytest.mark.parametrize("cell", chosen, ids=[f"{cell.names[0]}-{cell.feature}" for cell in chosen])


@cells(*SHOWN)
def test_what_comes_out_is_shown_by_a_transcript(cell: Cell) -> None:
    shows = SHOWN[cell.feature]
    if cell.word == "yes":
        path = Path(cell.proof)
        assert path.parent.name == cell.api
        for to in cell.targets:
            assert shows(said(to, TRANSCRIPTS[f"{cell.api}/{path.stem}"].body))
    else:
        assert (cell.word, cell.sentences) == ("none", frozenset())
        own = [it for name, it in TRANSCRIPTS.items() if it.api == cell.api and is_of(name, cell)]
        assert own
        assert not any(shows(said(to, it.body)) for it in own for to in cell.targets)


def said(to: Target, body: bytes) -> Said:
    """What the codec makes of a body, as this provider's."""
    parser = CODECS[to.api].parser("m", to.quirks)
    happened = parser.feed(body) + parser.end()
    assert parser.outcome is not None
    outcome = parser.outcome if isinstance(parser.outcome, Answer) else parser.outcome.code
    return Read(happened, outcome).said


def is_of(transcript: str, cell: Cell) -> bool:
    """Whether a transcript is of one of the providers; where an API is only theirs, all of its are."""
    api, _, name = transcript.partition("/")
    return api != "openai-chat" or name.startswith(cell.names) or cell.feature == "its seal"


@cells("errors")
def test_a_refusal_has_its_code_and_leaves_the_question_to_the_next_target(cell: Cell) -> None:
    refusals = json.loads((ROOT / cell.proof).read_text())
    assert refusals
    for it in refusals.values():
        failure = CODECS[cell.api].refusal(it["status"], {}, json.dumps(it["body"]).encode())
        assert failure.code == it["code"]
        assert failure.message == UpstreamFailure(failure.code).message  # nothing of the body
        assert is_final(failure) == (failure.code is Code.content_filtered)


# what goes in

DATA = "cGxhaW4gd29yZHM="
ADDRESS = "https://example.com/file"


def user(*parts: Part) -> list[Message]:
    return [Message("user", (Text("What is it?"), *parts))]


def media(kind: MediaKind, *mime_types: str, by_address: Iterable[str]) -> list[list[Message]]:
    data = [user(Media(kind, data=DATA, mime_type=mime_type)) for mime_type in mime_types]
    return data + [user(Media(kind, url=ADDRESS, mime_type=mime_type)) for mime_type in by_address]


def called(*result: Part) -> list[Message]:
    call = ToolCall("call-1", "find_order", '{"number":7}')
    return [message("user", "Where is it?"), Message("assistant", (), (call,)), Message("tool", result, (), "call-1")]


def thought(api: Api) -> list[Message]:
    values = {"openai-chat": "reasoning_content", "openai-responses": f"rs_1:{DATA}", "gemini": f"thought:{DATA}"}
    answer = Message("assistant", (Reasoning("plain words", sealed(api, values.get(api, DATA))), Text("It is this.")))
    return [message("user", "What is it?"), answer, message("user", "And that?")]


LATIN = base64.b64encode("Größe".encode("latin-1")).decode()
SENT: dict[str, Callable[[Api], list[list[Message]]]] = {
    "system prompt": lambda _: [[message("system", "plain words"), message("user", "Hi")]],
    "images": lambda _: media("image", "image/png", "image/svg+xml", by_address=["image/png"]),
    "audio": lambda _: media("audio", "audio/wav", by_address=["audio/wav"]),
    "documents": lambda _: [
        *media("document", "application/pdf", "text/plain", "application/msword", by_address=["application/pdf"]),
        *media("document", by_address=["application/msword"]),
        user(Media("document", data=LATIN, mime_type="text/plain")),
    ],
    "video": lambda _: media("video", "video/mp4", by_address=["video/mp4"]),
    "calls and results": lambda _: [called(Text("plain words")), called(Media("image", data=DATA))],
    "reasoning back": lambda api: [thought(api)],
}
"""By what they are: every form in which clients send them."""

MARKS = (DATA, "plain words", ADDRESS, LATIN)
"""One of them is in every form."""


@cells(*SENT)
def test_what_goes_in_is_sent_or_refused_in_these_words(cell: Cell) -> None:
    for to in cell.targets:
        sent, refused = 0, set[tuple[Code, str]]()
        for messages in SENT[cell.feature](to.api):
            try:
                body = built(to, messages)
            except UpstreamFailure as failure:
                refused.add((failure.code, failure.message))
            else:
                sent += any(mark in body for mark in MARKS)
                assert "find_order" in body or cell.feature != "calls and results"
        assert refused == {(Code.unsupported_content, sentence) for sentence in cell.sentences}
        assert bool(sent) == (cell.word == "yes")
        assert (cell.word == "no") == (not sent and bool(refused))


@pytest.mark.parametrize("name", NAMES)
def test_reasoning_never_goes_to_an_api_it_is_not_of(name: str) -> None:
    to = target(name)
    for api in CODECS.keys() - {to.api}:
        assert not any(mark in built(to, thought(api)) for mark in MARKS)


ELSEWHERE: dict[str, list[Message]] = {
    "an image in a system message": [Message("system", (Media("image", data=DATA),)), message("user", "Hi")],
    "an image in a message of the model's own": [Message("assistant", (Media("image", data=DATA),))],
    "a data URL that is not base64": user(Media("document", url="data:text/plain,words")),
}


@pytest.mark.parametrize("row", table("what else"), ids=lambda row: row["what else"])
def test_what_else_is_refused(row: dict[str, str]) -> None:
    for name in quoted(row["by"]):
        with pytest.raises(UpstreamFailure, match=f"^unsupported_content: {re.escape(row['told'])}$"):
            built(target(name), ELSEWHERE[row["what else"]])


# what may be asked


@cells("temperature", "max tokens")
def test_what_is_asked_is_sent(cell: Cell) -> None:
    option: dict[str, Any] = {"temperature": 0.25} if cell.feature == "temperature" else {"max_tokens": 4321}
    for to in cell.targets:
        asked, silent = (built(to, [message("user", "Hi")], **options) for options in (option, {}))
        (value,) = map(str, option.values())
        assert (value in asked, value in silent, cell.word) == (True, False, "yes")


@cells("reasoning effort")
def test_the_effort_is_sent_or_makes_no_difference(cell: Cell) -> None:
    for name in cell.names:
        efforts: tuple[Effort | None, ...] = (None, "low", "medium", "high")
        bodies = {built(target(name, reasoning=effort), [message("user", "Hi")]) for effort in efforts}
        assert (len(bodies), cell.word) in ((4, "yes"), (1, "none"))


@pytest.mark.parametrize("row", table("asked of"), ids=lambda row: row["asked of"])
def test_how_much_to_think_in_the_words_of_each_api(row: dict[str, str]) -> None:
    name, model = quoted(row["asked of"])
    silent = json.loads(built(target(name, model), [message("user", "Hi")]))
    efforts: tuple[Effort, ...] = ("off", "low")
    for effort in efforts:
        asked = json.loads(built(target(name, model, reasoning=effort), [message("user", "Hi")]))
        added = {field: value for field, value in asked.items() if silent.get(field) != value}
        assert added == json.loads(quoted(row[effort])[0] if row[effort] != "nothing" else "{}")


# who they are


def test_the_providers_are_those_that_are_configured_by_name() -> None:
    listed = {quoted(row["name"])[0]: row for row in table("name")}
    assert list(listed) == list(PRESETS)
    for name, row in listed.items():
        preset = PRESETS[name]
        assert quoted(row["API"]) == (preset.api,)
        assert quoted(row["base URL"]) == (preset.base_url or preset.like,)
        assert row["base URL"].startswith("yours") == (preset.base_url is None)
        assert quoted(row["key from"]) == ((preset.key_env,) if preset.key_env else ())
        assert quoted(row["model"]) == ((preset.model,) if preset.model else ())
        assert quoted(row["departs by"]) == departing(preset.quirks)


def departing(quirks: Quirks) -> tuple[str, ...]:
    """What a preset says of itself where others say nothing: the words it has, or the names of its quirks."""
    usual = Preset("").quirks
    own = {field: getattr(quirks, field) for field in quirks.__struct_fields__}
    return tuple(
        value if isinstance(value, str) else field for field, value in own.items() if value != getattr(usual, field)
    )


# what goes wrong

FAULTS = {quoted(row["code"])[0]: row for row in table("code")}


def test_every_failure_of_an_upstream_is_told_of() -> None:
    ours = {Code.context_too_long, Code.unsupported_content, Code.content_filtered}
    assert set(FAULTS) == ours | {code for code in Code if code.startswith("upstream_")}


@pytest.mark.parametrize("code", [Code(name) for name in FAULTS])
def test_what_is_told_and_who_is_asked_after_a_failure(code: Code) -> None:
    row, failure = FAULTS[code], UpstreamFailure(code)
    assert (row["status"], row["told"]) == (str(failure.status), failure.message)
    again = (is_transient(failure, 404), is_transient(failure, 500))
    assert row["same again"] == {(True, True): "yes", (False, True): "from 500 on", (False, False): "no"}[again]
    assert row["next target"] == ("no" if is_final(failure) else "yes")
    counted = Breaker().fail(failure, 0.0, Rule(), probe=False).failures
    assert row["health"] == ("yes" if counted else "no")


def test_what_is_not_the_models_doing_goes_to_nobody_else() -> None:
    assert is_final(Failure(Code.internal))
