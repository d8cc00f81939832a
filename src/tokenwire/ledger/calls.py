"""The models that an agent asks while it answers: each is paid for by itself, and all of them are in the run's row."""

from collections.abc import Awaitable, Callable

from .. import events
from ..errors import Code, Failure
from ..gate.price import Prices
from ..providers.base import Prompt
from ..runs.engine import Engine
from ..runs.log import Log, RunInfo
from ..runs.outcome import Outcome
from ..runs.run import Run, Source
from .meter import Meter
from .row import Spent, added_up, spent_by
from .run_account import RunAccount


class Calls:
    """Those of one run, which they do not outlive.

    :param account: a new one, for a question to a model.
    :param hand_over: awaited before the first: from then on the calls are paid for, and not what the agent tells.
    """

    def __init__(
        self, account: Callable[[str, Prompt], RunAccount], prices: Prices, hand_over: Callable[[], Awaitable[None]]
    ) -> None:
        self.made = False
        """Whether there are any."""
        self.over = False
        self.live: dict[Call, Run] = {}
        self.prices = prices
        self._account = account
        self._hand_over = hand_over
        self._spent: list[Spent] = []

    @property
    def spent(self) -> Spent:
        """What all that have ended have used and cost together."""
        return added_up(self._spent)

    def call(self, model: str, prompt: Prompt) -> "Call":
        """One more question to a model."""
        return Call(self, self._account(model, prompt))

    async def begin(self) -> None:
        """One of them is about to begin."""
        if not self.made:
            self.made = True
            await self._hand_over()

    def add(self, spent: Spent) -> None:
        """One of them has ended."""
        self._spent.append(spent)

    def end(self) -> None:
        """The run has ended."""
        self.over = True
        for run in tuple(self.live.values()):
            run.cancel()


class Call:
    """One question to a model: starts its run, and looks on (:class:`tokenwire.runs.observer.Observer`)."""

    def __init__(self, calls: Calls, account: RunAccount) -> None:
        self._calls = calls
        self._account = account

    async def start(self, engine: Engine, info: RunInfo, source: Source) -> Log:
        """As :meth:`Engine.start`, within the limits of whoever asked the agent. Raises :class:`Refusal`."""
        await self._calls.begin()
        async with self._account.admitted():
            if self._calls.over:
                raise Failure(Code.abandoned)
            return await engine.start(info, None, self._account.metered(source, self._begin))

    def encoder(self, _: RunInfo) -> Callable[[events.Event], bytes]:
        """See :class:`tokenwire.runs.observer.Observer`."""
        self._meter = Meter(events.encode)
        return self._meter

    def ended(self, outcome: Outcome) -> None:
        """See :class:`tokenwire.runs.observer.Observer`."""
        account = self._account
        self._calls.live.pop(self, None)
        account.rest()
        spent = spent_by(outcome, account.meter.told, account.opening, self._calls.prices)
        self._calls.add(spent)
        account.settle(spent)

    async def close(self) -> None:
        """See :class:`tokenwire.runs.observer.Observer`."""

    def _begin(self, run: Run) -> Meter:
        self._calls.live[self] = run
        return self._meter
