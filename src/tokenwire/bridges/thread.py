"""The name of a thread where somebody else keeps it."""

from urllib.parse import quote

from ..agents.ask import Ask


def thread_key(ask: Ask) -> str:
    """The thread's id, which its client has made up: with the principal in front, so that nobody names another's.

    Nobody in particular has none in front, and so that they do not put one there, the id is quoted for them as well.
    """
    owner = f"{quote(ask.principal, safe='')}/" if ask.principal else ""
    return owner + quote(ask.thread_id, safe="")
