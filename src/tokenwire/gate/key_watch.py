"""Who holds a key that is over, or a secret of it that was rotated away, is not answered any longer."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..errors import Code, Failure, Refusal
from .principal import Principal

logger = logging.getLogger("tokenwire.gate")

LOOK_SECONDS = 0.5


def key_ended() -> Failure:
    """What is said to whoever was being answered."""
    return Refusal(Code.unauthenticated, "This key is no longer valid.")


class Standing(Protocol):
    """What there is to know of keys (:class:`.keys.Keys`)."""

    async def version(self) -> bytes:
        """Another one whenever something may have ended."""

    async def confirm(self, principal: Principal) -> Principal | None:
        """The same as their key makes them by now; ``None`` where that is over."""


_Shown = tuple[str | None, int | None]
"""A key, and which of its secrets."""


def _nothing_held() -> None:
    pass


class _Hold(NamedTuple):
    principal: Principal
    end: Callable[[], None]
    over: Callable[[], bool]


class KeyWatch:
    """Ends what is done in the name of a key, within a second of the key's own end.

    It asks only while somebody is answered who came with a key: one small record, and where that has changed, or they
    are new, for their keys. A store that is away ends nothing.
    """

    def __init__(self, keys: Standing, *, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        self._held: dict[object, _Hold] = {}
        self._version: bytes | None = None
        self._standing: dict[_Shown, Principal | None] = {}
        """What is made, at that version, of those who hold something."""
        self._task: asyncio.Task[None] | None = None

    def hold(
        self, principal: Principal, end: Callable[[], None], *, over: Callable[[], bool] = lambda: False
    ) -> Callable[[], None]:
        """Calls ``end`` once when the principal's key comes to its end, unless it was let go of by then.

        :param end: does nothing where there is nothing left to end.
        :param over: whether that is so: then it is let go of by itself.
        :returns: what lets go of it.
        """
        if principal.key is None:
            return _nothing_held
        place = object()
        self._held[place] = _Hold(principal, end, over)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

        def let_go() -> None:
            self._held.pop(place, None)

        return let_go

    async def look(self) -> None:
        """Ends what has to end by now."""
        for place, hold in tuple(self._held.items()):
            if hold.over():
                del self._held[place]
        try:
            await self._learn()
        except Refusal as away:
            logger.warning("which keys are over is not known at the moment: %s", away.detail)
        now = self._clock()
        for place, hold in tuple(self._held.items()):
            principal = self._standing.get(_shown(hold.principal), hold.principal)
            if principal is None or (principal.expires is not None and now >= principal.expires):
                self._held.pop(place, None)
                hold.end()

    async def close(self) -> None:
        """Watches no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _learn(self) -> None:
        version = await self._keys.version()
        known = self._standing if version == self._version else {}
        principals = [hold.principal for hold in self._held.values()]
        held = {_shown(principal): principal for principal in principals if principal.rotation is not None}
        self._standing = {
            shown: known[shown] if shown in known else await self._keys.confirm(principal)
            for shown, principal in held.items()
        }
        self._version = version

    async def _watch(self) -> None:
        while self._held:
            try:
                await self.look()
            except Exception:  # the next look is another attempt, and nobody would notice that there is none
                logger.exception("looking for keys that were revoked failed")
            await asyncio.sleep(LOOK_SECONDS)


def _shown(principal: Principal) -> _Shown:
    return principal.key, principal.rotation
