"""What was asked and answered, in the log of an operator who wants it there."""

import logging

from ..gate.question import Question
from ..middleware.base import Middleware
from ..runs.outcome import Outcome
from .content import Content

logger = logging.getLogger("tokenwire.content")

WARNING = "[log] content is on: what people ask, and what they are answered, is written to this log"


class ContentLog(Middleware):
    """Middleware that logs every question's last message, and every answer."""

    def on_request(self, question: Question) -> None:
        """A line for the question."""
        text = question.messages[-1].text if question.messages else ""
        logger.info("asked: %s", Content(text), extra={"run": question.run})

    async def on_end(self, outcome: Outcome) -> None:
        """A line for the answer."""
        logger.info("answered: %s", Content(await outcome.text()), extra={"run": outcome.run})
