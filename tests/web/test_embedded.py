"""The page and the embedded model: what somebody sees who has typed one command and has no key."""

from __future__ import annotations

from pathlib import Path

from ..server import served
from .browser import Page

NO_KEYS = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "GROQ_API_KEY": ""}


def test_a_conversation_with_the_embedded_model(page: Page, tmp_path: Path) -> None:
    with served(tmp_path / "log", env=NO_KEYS) as server:
        page.goto(server.url)
        for turn, question in enumerate(("Say hello in one short sentence.", "Now say goodbye."), 1):
            page.ask(question)
            page.until(f"document.querySelectorAll('[data-status=finished]').length === {turn}")
        answers = page.texts(".assistant > .prose")
        page.screenshot("embedded")
        page.goto("about:blank")
    assert len(answers) == 2
    assert all(answers)
