"""The short streams that a deployment sends to whoever wants to see what becomes of them."""

import json
from typing import Any

from .exchange import Answer, Deployment

PATH = "/healthz?stream=1"
SLOW_PATH = "/healthz?stream=slow"


def is_probe(answer: Answer) -> bool:
    """Whether it is one of these streams, be it packed by somebody on the way."""
    return answer.status == 200 and answer.headers.get("content-type", "").startswith("text/event-stream")


def first_event(answer: Answer) -> dict[str, Any]:
    """What the server says in the first event; nothing where that cannot be read."""
    line = answer.body.partition(b"\n")[0].removeprefix(b"data: ")
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def probe(deployment: Deployment, **headers: str) -> Answer:
    """One stream. Raises :class:`Unreachable`."""
    return deployment.get(PATH, {name.replace("_", "-"): value for name, value in headers.items()})
