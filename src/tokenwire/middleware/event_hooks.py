"""The events of one run on their way past the middleware that looks at them."""

import logging
from collections.abc import Callable, Sequence

from .. import events
from ..runs.log import RunInfo

logger = logging.getLogger("tokenwire.middleware")

OnEvent = Callable[[RunInfo, events.Event], events.Event | None]


class EventHooks:
    """Makes a record of each event, as the hooks leave it. What a hook does wrong changes nothing."""

    def __init__(self, run: RunInfo, hooks: Sequence[OnEvent]) -> None:
        self._run = run
        self._hooks = hooks
        self._complained: set[int] = set()

    def __call__(self, event: events.Event) -> bytes:
        for hook in self._hooks:
            try:
                changed = hook(self._run, event)
                if changed is not None:
                    event = checked(changed, event)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # noqa: BLE001 - whatever it is, a cancelled wait or a panic, the token goes on
                self._complain(hook)
        return events.encode(event)

    def _complain(self, hook: OnEvent) -> None:
        if id(hook) not in self._complained:  # an answer has thousands of events
            self._complained.add(id(hook))
            logger.exception(
                "on_event failed in run %s; its events go on as they were", self._run.run_id, extra={"run": self._run}
            )


def checked(changed: events.Event, event: events.Event) -> events.Event:
    """What a hook gave in place of an event. Raises :class:`ValueError` where it cannot stand there."""
    if changed is event:
        return event
    if type(changed) is not type(event):
        raise ValueError(f"{type(event).__name__} cannot become {type(changed).__name__}")
    again = events.decode(events.encode(changed))
    for field in event.__struct_fields__:
        before, after = getattr(event, field), getattr(again, field)
        if (field.endswith("_id") and before != after) or (field == "delta" and not after):
            raise ValueError(f"{type(event).__name__}.{field} cannot become {after!r}")
    return again
