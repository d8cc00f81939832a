"""One question to a model: its targets are asked until one of them answers."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from .. import events
from ..errors import Code, Failure, UpstreamFailure
from ..observe.content import Content
from ..providers.base import Answer, Prompt, Target, with_defaults
from ..providers.call import ModelCall
from ..providers.codecs import CODECS
from ..providers.transport import Transport
from ..runs.run import Run
from .health import Health, label
from .model import Model
from .plan import Plan, Turn, make_plan, next_turn
from .retry import is_final, replan
from .watch import AttemptWatch, RouterWatch

logger = logging.getLogger("tokenwire.routing")

_DETAIL_CHARACTERS = 500

_ABOUT_THE_KEY = {
    Code.upstream_auth: None,
    Code.upstream_quota: "Your account with the model's provider is used up.",
}


class Patience(NamedTuple):
    """Seconds that things are waited for."""

    silence: float
    """A target that sends nothing at all."""
    answer: float
    """The end of an answer, where the target has no limit of its own."""
    retry: float
    """No target is asked again later than this after the start."""


class _Attempt(NamedTuple):
    turn: Turn
    call: ModelCall
    probe: bool
    """Whether it is to see if the target is back."""
    watch: AttemptWatch


class Attempts:
    """A source (:class:`tokenwire.runs.run.Source`), and the asker of every call that it makes.

    Until an answer begins, whoever fails is followed by the next. After that the answer is in the run, and nothing of
    it comes twice. Where nobody answers, what is told is the last word of the target that was asked first: that is the
    one that should have answered, and the others stood in for it.

    :param random: gives numbers from 0 up to but not including 1.
    """

    def __init__(
        self,
        model: Model,
        prompt: Prompt,
        transport: Transport,
        health: Health,
        patience: Patience,
        random: Callable[[], float],
        watch: RouterWatch,
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._max_tokens = prompt.max_tokens
        self._transport = transport
        self._health = health
        self._patience = patience
        self._random = random
        self._router_watch = watch
        self._plan: Plan = ()
        self._attempt: _Attempt | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._first: Target | None = None
        self._verdict: Failure | None = None

    def start(self, run: Run) -> None:
        """Asks the first target."""
        self._run = run
        self._watch = self._router_watch.begin(run, self._model.name)
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + self._patience.retry
        self._plan = make_plan(self._model.choices, self._random)
        self._go_on()

    def stop(self) -> Sequence[events.Event]:
        """Asks nobody any more, and closes the socket of whoever is being asked."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return ()
        self._health.leave(attempt.turn.target, probe=attempt.probe)
        attempt.watch.stop()
        return attempt.call.stop()

    def pause(self) -> None:
        """Reads no more."""
        self._paused = True
        if self._attempt is not None:
            self._attempt.call.pause()

    def resume(self) -> None:
        """Reads on."""
        self._paused = False
        if self._attempt is not None:
            self._attempt.call.resume()

    @property
    def saved(self) -> int | None:
        """Of the tokens that the request allowed, those that have not come."""
        return self._max_tokens if self._attempt is None else self._attempt.call.saved

    def begin_answer(self) -> None:
        """See :class:`tokenwire.providers.call.Asker`."""
        attempt = self._attempt
        if attempt is None:
            return
        del self._prompt  # nobody else will be asked, and the answer may take long
        self._run.served = label(attempt.turn.target)
        attempt.watch.begin_answer()
        if attempt.probe:
            self._health.begin_answer(attempt.turn.target, probe=True)
            self._attempt = attempt._replace(probe=False)

    def finish(self, answer: Answer) -> None:
        """See :class:`tokenwire.providers.call.Asker`."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            self._health.finish(attempt.turn.target, self._loop.time(), probe=attempt.probe)
            attempt.watch.finish(answer)
        self._run.finish(answer.reason, model=self._model.name, usage=answer.usage)

    def fail(self, failure: Failure) -> None:
        """See :class:`tokenwire.providers.call.Asker`."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        turn, now = attempt.turn, self._loop.time()
        self._health.fail(turn.target, failure, now, probe=attempt.probe)
        attempt.watch.fail(failure, attempt.call.status)
        told = _to_its_owner(failure) if turn.target.byok else failure
        if attempt.call.answering:
            self._log(turn.target, failure, "the answer broke off")
            self._run.fail(_broken_off(told))
            return
        if turn.target is self._first or is_final(failure):
            self._verdict = told
        self._plan = replan(
            self._plan,
            turn,
            failure,
            status=attempt.call.status,
            now=now,
            deadline=self._deadline,
            random=self._random,
        )
        upcoming = next_turn(self._plan, now, self._health.admits)
        self._log(turn.target, failure, _announce(upcoming, turn.target, now))
        self._go_on()

    def _go_on(self) -> None:
        self._timer = None
        now = self._loop.time()
        turn = next_turn(self._plan, now, self._health.admits)
        if turn is None:
            self._run.fail(self._verdict or self._refusal(now))
        elif turn.earliest > now:
            self._timer = self._loop.call_later(turn.earliest - now, self._go_on)
        else:
            self._ask(turn, now)

    def _ask(self, turn: Turn, now: float) -> None:
        target = turn.target
        timeouts = target.timeouts
        prompt = with_defaults(self._prompt, target)
        call = ModelCall(
            CODECS[target.api],
            target,
            prompt,
            self._transport,
            timeouts=msgspec.structs.replace(timeouts, answer=timeouts.answer or self._patience.answer),
            silence_seconds=self._patience.silence,
        )
        self._first = self._first or target
        self._attempt = _Attempt(turn, call, self._health.ask(target, now), self._watch.ask(target, prompt))
        try:
            call.start(self._run, self)
        except Failure as failure:
            self.fail(failure)
        except Exception:
            logger.exception("%s cannot be asked", label(target))
            self.fail(Failure(Code.internal))
        else:
            if self._paused:
                call.pause()

    def _refusal(self, now: float) -> Failure:
        failure = self._health.refusal(self._model.targets, now)
        logger.warning(
            "run %s: %s: %s", self._run.info.run_id, failure.code, failure.detail, extra={"run": self._run.info}
        )
        return _to_its_owner(failure) if all(target.byok for target in self._model.targets) else failure

    def _log(self, target: Target, failure: Failure, then: str) -> None:
        """A line for an attempt that failed."""
        detail = _safe(failure.detail, target)
        quoted = Content(detail) if failure.code is Code.upstream_malformed else detail  # which may be of an answer
        logger.warning(
            "run %s: %s from %s: %s; %s",
            self._run.info.run_id,
            failure.code,
            label(target),
            quoted,
            then,
            extra={"run": self._run.info},
        )


def _to_its_owner(failure: Failure) -> Failure:
    """The same, told to whoever has brought the key."""
    if failure.code not in _ABOUT_THE_KEY:
        return failure
    message = _ABOUT_THE_KEY[failure.code]
    return UpstreamFailure(Code.byok_refused, message, detail=failure.detail, retry_after=failure.retry_after)


def _broken_off(failure: Failure) -> Failure:
    if failure.code is Code.upstream_truncated or not isinstance(failure, UpstreamFailure):
        return failure
    return UpstreamFailure(failure.code, f"The answer broke off. {failure.message}")


def _announce(upcoming: Turn | None, failed: Target, now: float) -> str:
    if upcoming is None:
        return "giving up"
    who = "again" if upcoming.target is failed else f"trying {label(upcoming.target)}"
    return f"{who} in {upcoming.earliest - now:.2g} s" if upcoming.earliest > now else f"{who} next"


def _safe(detail: str, target: Target) -> str:
    """A failure's detail on one line; upstreams are known to quote the key they refuse.

    Cut after that: half a key that a cut left would not be recognised.
    """
    detail = " ".join(detail.split())
    if target.key is not None:
        detail = detail.replace(target.key.reveal(), "****")
    return detail[:_DETAIL_CHARACTERS]
