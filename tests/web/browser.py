"""A headless Chromium, driven through ``drive.mjs``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
ARTEFACTS = Path(os.environ.get("ARTEFACTS", HERE.parent.parent / "artefacts"))


class BrowserError(AssertionError):
    """What was asked of the page did not come true."""


class Browser:
    """One browser process; pages share nothing but it."""

    def __enter__(self) -> Self:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        if chromium is None:
            raise RuntimeError("no Chromium found: install it, or set CHROMIUM to its path")
        self._process = subprocess.Popen(
            ["node", HERE / "drive.mjs"],
            env=os.environ | {"CHROMIUM": chromium},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def command(self, **command: Any) -> Any:
        """One command of ``drive.mjs``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the browser's driver ended")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    def open(self, **options: Any) -> Page:
        """A page with cookies and storage of its own; ``options`` are those of a Playwright context."""
        return Page(self, self.command(open={"viewport": {"width": 1280, "height": 800}, **options}))


class Page:
    """A page, with the words that the tests need."""

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser = browser
        self._number = number

    def new_tab(self) -> Page:
        """Another page with the same cookies and storage; it closes with this one."""
        return Page(self._browser, self._browser.command(tab_of=self._number))

    def do(self, method: str, *args: Any, selector: str | None = None) -> Any:
        """A method of Playwright's page, or of the locator that a selector makes."""
        command: dict[str, Any] = {"page": self._number, "method": method, "args": args}
        if selector is not None:
            command["selector"] = selector
        return self._browser.command(**command)

    def goto(self, url: str) -> None:
        self.do("goto", url)

    def ask(self, question: str) -> None:
        """Writes a message and sends it with Enter."""
        self.fill("#input", question)
        self.press("Enter")

    def answered(self, text: str) -> None:
        """Waits until the last answer is complete and shows exactly this text."""
        self.see(".message:last-child[data-status=finished]")
        self.until_text(".assistant > .prose", text)

    def click(self, selector: str) -> None:
        self.do("click", selector=selector)

    def fill(self, selector: str, text: str) -> None:
        self.do("fill", text, selector=selector)

    def press(self, *keys: str) -> None:
        """Presses keys one after the other, wherever the focus is."""
        for key in keys:
            self.do("keyboard.press", key)

    def type(self, text: str) -> None:
        """Types text wherever the focus is."""
        self.do("keyboard.type", text)

    def see(self, selector: str, state: str = "visible") -> None:
        """Waits until an element is there (or as ``state`` says)."""
        self.do("waitFor", {"state": state}, selector=selector)

    def until(self, expression: str) -> None:
        """Waits until a JavaScript expression is true."""
        try:
            self._browser.command(page=self._number, until=expression)
        except BrowserError as error:
            shown = self.evaluate("document.body.innerText")
            raise BrowserError(f"{error}: {expression}\nThe page shows:\n{shown}") from None

    def until_text(self, selector: str, text: str) -> None:
        """Waits until the last element of a selector shows exactly this text."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})].at(-1)?.innerText.trim()"
        self.until(f"{found} === {json.dumps(text)}")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        return self.do("evaluate", expression)

    def call(self, function: str, argument: Any = None) -> Any:
        """What a JavaScript function makes of an argument, awaited."""
        return self.evaluate(f"({function})({json.dumps(argument)})")

    def texts(self, selector: str) -> list[str]:
        """The text of every element of a selector."""
        return list(self.do("allInnerTexts", selector=selector))

    def focus(self) -> str:
        """The id of the element that has the focus."""
        return str(self.evaluate("document.activeElement.id"))

    def screenshot(self, name: str) -> None:
        """Keeps a picture among the artefacts."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.do("screenshot", {"path": str(ARTEFACTS / f"{name}.png")})

    def complaints(self) -> list[str]:
        """Errors and warnings so far, those of the security policy included."""
        return list(self._browser.command(page=self._number, report=True)["complaints"])

    def requests(self) -> list[dict[str, Any]]:
        """Every request so far: method, url, headers, body."""
        return list(self._browser.command(page=self._number, report=True)["requests"])

    def close(self) -> None:
        self._browser.command(page=self._number, close=True)
