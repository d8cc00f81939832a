"""The name of a thread where somebody else keeps it."""

from urllib.parse import quote

from ..agents.ask import Ask


def thread_key(ask: Ask) -> str:
    """The thread's id, which its client has made up: with the principal in front, so that nobody names another's."""
    if not ask.principal:
        return ask.thread_id
    return f"{quote(ask.principal, safe='')}/{quote(ask.thread_id, safe='')}"
