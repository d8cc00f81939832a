"""Whether what readers saw of an answer is what the model said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Wrong(StrEnum):
    """The ways in which an answer can go wrong between a model and those who read it."""

    lost = "lost"
    doubled = "doubled"
    """Rendered twice, or never said."""
    hung = "hung"
    second_generation = "second generation"
    terminals = "more than one terminal"
    error = "unexpected error"


class Finding(NamedTuple):
    """One thing that went wrong."""

    wrong: Wrong
    detail: str


@dataclass(slots=True)
class Reading:
    """What one reader made of one answer. A reader fills it in as it goes."""

    text: str = ""
    reasoning: str = ""
    terminals: list[str] = field(default_factory=list)
    """The answer's ends as they came: "" for a good one, else the code of the error. The same end told again
    on a later connection, as a server does for a reader that has everything, is not another one."""
    error: str | None = None
    """Why the reader gave up before it had an end."""
    hung: bool = False
    """Whether it was still waiting when the test's patience was over."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """Knows what the model said to a question, and judges what came of it.

    With `may_fail`, the codes of errors that are no surprise (a worker was killed, say), an answer that ends with
    one of them may break off, at one place for all its readers.
    """

    text: str
    reasoning: str = ""
    may_fail: Collection[str] = ()

    @classmethod
    def of(cls, text: Sequence[str], reasoning: Sequence[str] = (), may_fail: Collection[str] = ()) -> Oracle:
        """From the deltas of a `Reply`."""
        return cls("".join(text), "".join(reasoning), may_fail)

    def judge(self, readings: Sequence[Reading], asked: int = 1) -> list[Finding]:
        """What went wrong, over all readers of one run; nothing is the good case.

        :param asked: how often the model got the question.
        """
        findings = [] if asked <= 1 else [Finding(Wrong.second_generation, f"the model was asked {asked} times")]
        said = self._told(readings)
        for reading in readings:
            findings += self._judge(reading, said)
        ends = {end for reading in readings for end in reading.terminals}
        if len(ends) > 1:
            findings.append(Finding(Wrong.terminals, f"readers saw different ends: {_names(sorted(ends))}"))
        return findings

    def _told(self, readings: Sequence[Reading]) -> Oracle:
        """What every reader must have: everything, or of an answer that broke off what the luckiest has."""
        if not any(end in self.may_fail for reading in readings for end in reading.terminals):
            return self
        text = self.text[: max(len(reading.text) for reading in readings)]
        return Oracle(text, self.reasoning[: max(len(reading.reasoning) for reading in readings)])

    def _judge(self, reading: Reading, said: Oracle) -> Iterator[Finding]:
        if reading.hung:
            yield Finding(Wrong.hung, f"without an end after {_brief(reading.reasoning)} and {_brief(reading.text)}")
            return
        if reading.error is not None:
            yield Finding(Wrong.error, reading.error)
            return
        if not reading.terminals:
            yield Finding(Wrong.lost, "the terminal event")
        if len(reading.terminals) > 1:
            yield Finding(Wrong.terminals, _names(reading.terminals))
        for end in reading.terminals:
            if end and end not in self.may_fail:
                yield Finding(Wrong.error, end)
        yield from _compare("reasoning", said.reasoning, reading.reasoning)
        yield from _compare("text", said.text, reading.text)


def _compare(kind: str, said: str, rendered: str) -> Iterator[Finding]:
    """The difference, as the one stretch of each that the other does not have."""
    start = _shared(said, rendered)
    missing, extra = said[start:], rendered[start:]
    end = _shared(missing[::-1], extra[::-1])
    missing, extra = missing[: len(missing) - end], extra[: len(extra) - end]
    if missing:
        yield Finding(Wrong.lost, f"{kind} {_brief(missing)} at character {start}")
    if extra:
        yield Finding(Wrong.doubled, f"{kind} {_brief(extra)} at character {start}")


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    differing = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differing, min(len(one), len(other)))


def _names(ends: Iterable[str]) -> str:
    return ", ".join(end or "finished" for end in ends)


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:30]}…{text[-30:]}")
