"""Code of the operator's own around every run (docs/middleware.md)."""

from ..gate.question import Question
from ..runs.outcome import Outcome
from .base import Middleware
from .stack import MiddlewareStack

__all__ = ["Middleware", "MiddlewareStack", "Outcome", "Question"]
