"""A chat with a person: a prompt, answers, and commands."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from .answer import Outcome, answer_view, present
from .catalogue import Catalogue, Kind
from .conversation import Answer, Conversation
from .prompt import History, Prompt
from .screen import Screen
from .style import Style
from .terminal import Terminal, printable


class _Command(NamedTuple):
    usage: str
    meaning: str
    run: Callable[[str], None]


class ChatSession:
    """Reads what the user says and shows what comes of it, until the user leaves."""

    def __init__(
        self,
        runner: asyncio.Runner,
        conversation: Conversation,
        catalogue: Catalogue,
        terminal: Terminal,
        notes: Terminal,
        history: History | None,
    ) -> None:
        self._runner = runner
        self._conversation = conversation
        self._catalogue = catalogue
        self._terminal = terminal
        self._notes = notes
        self._leaving = False
        self._commands = {
            command.usage.partition(" ")[0]: command
            for command in (
                _Command("/model [NAME]", "the models there are, or the one to ask", self._choose_model),
                _Command("/persona [NAME]", "the personas there are, or the one to talk to", self._choose_persona),
                _Command("/reload", "another answer to what you said last", self._reload),
                _Command("/clear", "begin a new conversation", self._clear),
                _Command("/help", "this list", self._help),
                _Command("/quit", "leave, as Ctrl-D does", self._quit),
            )
        }
        self._prompt = Prompt(terminal, history, self._complete)

    def run(self) -> int:
        """Returns the exit code: 0, or 130 where Ctrl-C was the way out."""
        self._say(f"{self._conversation.address}\n/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.")
        try:
            while not self._leaving:
                self._take(self._prompt.read())
        except EOFError:
            self._terminal.write("\n")
        except KeyboardInterrupt:
            self._terminal.write("\n")
            return Outcome.STOPPED
        return 0

    def _take(self, line: str) -> None:
        if not line.startswith("/"):
            if line.strip():
                self._answer(self._conversation.ask(line))
            return
        name, _, argument = line.partition(" ")
        command = self._commands.get(name)
        if command is None:
            self._say(f"There is no {name}. /help lists the commands; a message may begin with a space.")
        else:
            command.run(argument.strip())

    def _answer(self, answers: AsyncGenerator[Answer, None]) -> None:
        self._terminal.write("\n")
        view = answer_view(self._terminal, self._notes)
        with self._terminal.without_echo():
            outcome = self._runner.run(present(self._conversation, answers, view))
        if outcome in (Outcome.FAILED, Outcome.UNREACHABLE):
            self._say("/reload asks again.")
        self._terminal.write("\n")

    def _choose_model(self, name: str) -> None:
        self._choose("model", name)

    def _choose_persona(self, name: str) -> None:
        self._choose("persona", name)

    def _choose(self, kind: Kind, name: str) -> None:
        choices = self._conversation.choices
        if not name:
            self._say(f"{kind}: {choices.get(kind) or self._catalogue.default_of(kind)}")
            for choice in self._catalogue.offers(kind):
                self._say(f"  {choice.name:<16} {choice.description}".rstrip())
            if kind in choices:
                self._say(f"/{kind} - leaves it to the server.")
        elif name == "-":
            choices.pop(kind, None)
        elif refusal := self._catalogue.refusal(kind, name):
            self._say(refusal)
        else:
            choices[kind] = name
            self._say(self._catalogue.greeting(kind, name) or f"{kind}: {name}")

    def _reload(self, _: str) -> None:
        if self._conversation.is_empty:
            self._say("There is nothing to answer yet.")
        else:
            self._answer(self._conversation.reload())

    def _clear(self, _: str) -> None:
        self._conversation.clear()
        self._say("A new conversation.")

    def _help(self, _: str) -> None:
        for command in self._commands.values():
            self._say(f"  {command.usage:<16} {command.meaning}")
        self._say("Ctrl-C stops an answer, and leaves at the prompt. A line that ends in \\ goes on in the next.")

    def _quit(self, _: str) -> None:
        self._leaving = True

    def _complete(self, line: str) -> list[str]:
        """The commands that begin so, with the names that the server offers."""
        kinds: tuple[Kind, ...] = ("model", "persona")
        names = [(kind, choice.name) for kind in kinds for choice in self._catalogue.offers(kind)]
        named = [f"/{kind} {name}" for kind, name in names if name.isprintable()]
        found = [name for name in self._commands if name.startswith(line)]
        return (found or [name for name in named if name.startswith(line)]) if line else []

    def _say(self, text: str) -> None:
        if self._terminal.live:
            Screen(self._terminal).say(text, Style.DIM)
        else:
            self._terminal.write(f"{printable(text)}\n")
