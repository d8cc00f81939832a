"""Logs as a test reads and writes them."""

from tokenwire import events
from tokenwire.runs.log import Log, RunInfo

STARTED = events.encode(events.RunStarted("thread", "run"))
FINISHED = events.encode(events.RunFinished("thread", "run", "stop"))


def info(run_id: str = "run", principal: str = "alice") -> RunInfo:
    return RunInfo(principal, "thread", run_id, "tanstack")


def said(delta: str) -> events.TextMessageContent:
    return events.TextMessageContent("message", delta)


def happened(log: Log) -> list[events.Event]:
    """Everything in a log."""
    return [events.decode(payload) for payload in log.read(0, log.length)]
