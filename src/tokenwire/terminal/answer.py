"""The showing of an answer: on a terminal, or into a pipe."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import IntEnum
from typing import Protocol

from ..client.errors import ClientError, ConnectionLostError
from .cells import Row, cells
from .conversation import Answer, Conversation, Section, explain
from .markdown import MarkdownView
from .screen import Screen
from .style import Style
from .terminal import Terminal, printable


class Outcome(IntEnum):
    """What became of an answer, as the command's exit code."""

    ANSWERED = 0
    FAILED = 1
    UNREACHABLE = 3
    STOPPED = 130


class AnswerView(Protocol):
    """Shows one answer."""

    def show(self, answer: Answer) -> None:
        """What there is of the answer now."""

    def end(self, note: str = "", style: Style = Style.DIM) -> None:
        """There is no more of it; a note says why, where that is not plain."""


async def present(conversation: Conversation, answers: AsyncGenerator[Answer, None], view: AnswerView) -> Outcome:
    """Shows an answer to its end. Cancelling the task stops the answer, and is then over."""
    try:
        async with aclosing(answers):
            async for answer in answers:
                view.show(answer)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        view.end("stopped")
        await conversation.stop()
        return Outcome.STOPPED
    except ConnectionLostError as error:
        view.end(explain(error), Style.ERROR)
        return Outcome.UNREACHABLE
    except ClientError as error:
        view.end(explain(error), Style.ERROR)
        return Outcome.FAILED
    except BrokenPipeError:
        await conversation.stop()
        raise
    view.end()
    return Outcome.ANSWERED


def answer_view(terminal: Terminal, notes: Terminal) -> AnswerView:
    """The view that suits a terminal; ``notes`` is for what is not the answer, where the two are not one."""
    return RenderedAnswer(terminal) if terminal.live else PlainAnswer(terminal, notes)


class RenderedAnswer:
    """An answer as Markdown, on a terminal that can move its cursor. A status stands where the next text will be."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._screen = Screen(terminal)
        self._dots = " …" if terminal.unicode else " ..."
        self._progress = _Progress()
        self._view: MarkdownView | None = None
        self._kind = ""
        self._screen.status(self._dim(self._dots.strip()))

    def show(self, answer: Answer) -> None:
        """See :class:`AnswerView`."""
        for section, text in self._progress.news(answer):
            if section is not None:
                self._begin(section)
            if self._kind != "tool" and self._view is not None:
                self._view.feed(text)
        waiting = self._dim(f"reconnecting{self._dots}") if answer.reconnecting else None
        self._screen.status(waiting if self._progress.begun else waiting or self._dim(self._dots.strip()))

    def end(self, note: str = "", style: Style = Style.DIM) -> None:
        """See :class:`AnswerView`."""
        self._screen.status(None)
        self._end_section()
        if note:
            self._screen.say(note, style)

    def _begin(self, section: Section) -> None:
        former = self._view
        self._screen.status(None)
        self._end_section()
        if former is not None:
            self._screen.keep()
        self._kind = section.kind
        self._view = MarkdownView(self._screen, Style.PLAIN if section.kind == "text" else Style.DIM)
        if section.kind == "tool":
            self._view.feed(f"calls `{section.content}`\n")

    def _end_section(self) -> None:
        if self._view is not None:
            self._view.end()

    def _dim(self, text: str) -> Row:
        return cells([(text, Style.DIM)])


class PlainAnswer:
    """An answer as it was written, for a program or a plain terminal; all that is not its text goes elsewhere."""

    def __init__(self, terminal: Terminal, notes: Terminal) -> None:
        self._terminal = terminal
        self._notes = notes
        self._progress = _Progress()
        self._kind = ""
        self._last = "\n"
        self._noted = "\n"
        self._reconnecting = False

    def show(self, answer: Answer) -> None:
        """See :class:`AnswerView`."""
        for section, text in self._progress.news(answer):
            if section is not None:
                self._begin(section)
            if self._kind == "text":
                self._write(text)
            elif self._kind == "thinking":
                self._note(text)
        if answer.reconnecting and not self._reconnecting:
            self._note_line("reconnecting ...")
        self._reconnecting = answer.reconnecting

    def end(self, note: str = "", style: Style = Style.DIM) -> None:
        """See :class:`AnswerView`."""
        if self._last != "\n":
            self._write("\n")
        if self._noted != "\n":
            self._note("\n")
        if note:
            self._note_line(note, style)

    def _begin(self, section: Section) -> None:
        if section.kind == "text" and self._kind and self._last != "\n":
            self._write("\n\n")
        if self._kind == "thinking" and self._noted != "\n":
            self._note("\n")
        self._kind = section.kind
        if section.kind == "tool":
            self._note_line(f"calls {section.content}")

    def _write(self, text: str) -> None:
        shown = printable(text)
        if shown:
            self._terminal.write(shown)
            self._last = shown[-1]

    def _note(self, text: str, style: Style = Style.DIM) -> None:
        shown = printable(text)
        if shown:
            self._notes.write(self._notes.paint(shown, style))
            self._noted = shown[-1]

    def _note_line(self, text: str, style: Style = Style.DIM) -> None:
        self._note(f"{text}\n" if self._noted == "\n" else f"\n{text}\n", style)


class _Progress:
    """How far an answer was shown."""

    def __init__(self) -> None:
        self._section = -1
        self._length = 0

    @property
    def begun(self) -> bool:
        """Whether anything was."""
        return self._section >= 0

    def news(self, answer: Answer) -> list[tuple[Section | None, str]]:
        """What is new: text, with the section that it begins. What was shown is not looked at again."""
        found: list[tuple[Section | None, str]] = []
        for index, section in enumerate(answer.sections[max(self._section, 0) :], max(self._section, 0)):
            begins = index > self._section
            start = 0 if begins else self._length
            if begins and section.kind != "tool" and not section.content:
                return found
            if begins or len(section.content) > start:
                found.append((section if begins else None, section.content[start:]))
            self._section, self._length = index, max(len(section.content), start)
        return found
