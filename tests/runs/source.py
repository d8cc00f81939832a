"""A source whose words are the test's."""

from collections.abc import Callable, Sequence

from tokenwire import events
from tokenwire.runs.run import Run


class ScriptedSource:
    """Does nothing by itself but count; the test speaks through ``run``."""

    run: Run

    def __init__(self, on_start: Callable[[Run], None] = lambda _: None, closing: Sequence[events.Event] = ()) -> None:
        self.starts = 0
        self.stops = 0
        self.pauses = 0
        self.resumes = 0
        self._on_start = on_start
        self._closing = closing

    def start(self, run: Run) -> None:
        self.starts += 1
        self.run = run
        self._on_start(run)

    def stop(self) -> Sequence[events.Event]:
        self.stops += 1
        return self._closing

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.resumes += 1

    @property
    def saved(self) -> int | None:
        return None


class FailingSource(ScriptedSource):
    """Raises at its start, or where it is stopped."""

    def __init__(self, *, at: str) -> None:
        super().__init__()
        self._at = at

    def start(self, run: Run) -> None:
        super().start(run)
        if self._at == "start":
            raise RuntimeError("no start")

    def stop(self) -> Sequence[events.Event]:
        super().stop()
        if self._at == "stop":
            raise RuntimeError("no stop")
        return ()
