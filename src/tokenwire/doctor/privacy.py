"""Whether what is said is written down."""

from collections.abc import Iterator

from ..config import Config
from .finding import Finding, ok, warning

CHECK = "privacy"


def check(config: Config) -> Iterator[Finding]:
    """Of ``[log]`` and ``[traces]``."""
    places = [("log", "the log")] * config.log.content + [("traces", "the spans")] * (
        config.traces.enabled and config.traces.content
    )
    for table, place in places:
        yield warning(
            CHECK,
            f"questions and answers are written to {place}",
            f"[{table}]",
            "content = false",
            why="Whoever reads it reads what people have said.",
        )
    if not places:
        yield ok(CHECK, "what people say is in their answers alone")
