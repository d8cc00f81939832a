"""One question to one target: connects a provider's codec, a transport and a run."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec, Protocol

from .. import events
from ..errors import Code, Failure, UpstreamFailure
from ..runs.run import Run
from ..silence import Silence
from .base import Answer, Prompt, Provider, Target, Timeouts
from .deadlines import Deadlines
from .transport import Exchange, Transport

logger = logging.getLogger("tokenwire.providers")

_REFUSAL_BYTES = 64 * 1024
_P = ParamSpec("_P")
_NOT_A_STREAM = ("application/json", "text/html")


class Asker(Protocol):
    """Whoever makes a call. It hears of one end, unless it stops the call before."""

    def begin_answer(self) -> None:
        """What comes next goes into the run: nobody else may answer it any more."""

    def finish(self, answer: Answer) -> None:
        """All of the answer is in the run."""

    def fail(self, failure: Failure) -> None:
        """There is no answer, or no more of it."""


def _guarded(entry: Callable[Concatenate["ModelCall", _P], None]) -> Callable[Concatenate["ModelCall", _P], None]:
    """Nothing is above a sink but the event loop: an exception becomes a failed call."""

    def guarded(call: "ModelCall", /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            entry(call, *args, **kwargs)
        except Exception:  # noqa: BLE001 -- it is logged with its traceback
            call._broken()

    guarded.__doc__ = entry.__doc__
    return guarded


class ModelCall:
    """Asks a target over HTTP, and is the sink of its answer, which goes into the run event by event.

    Everything happens in the socket's read callback.

    :param timeouts: those of the target, completed by the process's own.
    :param silence_seconds: after which an upstream that sends nothing at all has failed.
    """

    status = 0
    """Of the response, once it is there."""
    answering = False
    """Whether any of the answer is in the run."""

    def __init__(
        self,
        provider: Provider,
        target: Target,
        prompt: Prompt,
        transport: Transport,
        *,
        timeouts: Timeouts,
        silence_seconds: float,
    ) -> None:
        self.target = target
        self._provider = provider
        self._prompt = prompt
        self._transport = transport
        self._timeouts = timeouts
        self._silence_seconds = silence_seconds
        self._headers: Mapping[str, str] = {}
        self._refusal: bytearray | None = None
        self._paused = False
        self._most = prompt.max_tokens

    def start(self, run: Run, asker: Asker) -> None:
        """Sends the question. Raises what :meth:`Provider.build` raises: nothing was sent then."""
        call = self._provider.build(self.target, self._prompt)
        del self._prompt  # not held for as long as the answer takes
        self._run = run
        self._asker: Asker | None = asker
        self._parser = self._provider.parser(f"msg-{run.log.key[:12]}", self.target.quirks)
        self._exchange: Exchange = self._transport.send(call._replace(connect_seconds=self._timeouts.connect), self)
        loop = asyncio.get_running_loop()
        self._silence = Silence(loop, self._silence_seconds, self._fall_silent)
        self._deadlines = Deadlines(loop, self._timeouts, self._parser, self._be_late)

    def stop(self) -> Sequence[events.Event]:
        """Closes the upstream's socket; gives the events that close what the answer left open."""
        self._end()
        self._exchange.abort()
        return self._parser.close()

    def pause(self) -> None:
        """Reads no more: after ``silence_seconds`` of it the call fails, because nobody can take what it says."""
        self._paused = self._deadlines.paused = True
        self._exchange.pause()

    def resume(self) -> None:
        """Reads on."""
        self._paused = self._deadlines.paused = False
        self._silence.active = True
        self._exchange.resume()

    @property
    def saved(self) -> int | None:
        """Of the tokens that the request allowed, those that have not come."""
        most = self._most
        return None if most is None else max(0, most - self._parser.tokens)

    @_guarded
    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """A success that promises a stream is accepted; anything else is read as a refusal."""
        self._silence.active = True
        self.status, self._headers = status, headers
        readable = headers.get("content-encoding", "identity") == "identity"
        if status == 200 and readable and not headers.get("content-type", "").lower().startswith(_NOT_A_STREAM):
            self._run.accept()
        else:
            self._refusal = bytearray()

    def body(self, data: bytes) -> None:
        """More of the answer."""
        self._silence.active = True
        try:  # as :func:`_guarded`, without a call: it is done for every token
            if self._refusal is None:
                happened = self._parser.feed(data)
                if happened:
                    if not self.answering:
                        self._begin_answer()
                    self._run.emit(happened)
                if self._parser.outcome is not None:
                    self._conclude()
                return
            self._refusal += data
            if len(self._refusal) > _REFUSAL_BYTES:
                self._refused()
        except Exception:  # noqa: BLE001 -- as above
            self._broken()

    @_guarded
    def end(self) -> None:
        """The body is complete."""
        if self._refusal is not None:
            self._refused()
        elif self._parser.outcome is None:
            happened = self._parser.end()
            if happened and not self.answering:
                self._begin_answer()
            self._run.emit(happened)
            self._conclude()

    @_guarded
    def lost(self, reason: str) -> None:
        """The connection is gone; the answer may have been complete all the same."""
        if not self.status:
            self._fail(UpstreamFailure(Code.upstream_unavailable, detail=reason))
        else:
            self.end()

    def _begin_answer(self) -> None:
        self.answering = True
        self._deadlines.begin_tokens(self._be_late)
        if self._asker is not None:
            self._asker.begin_answer()

    def _conclude(self) -> None:
        outcome = self._parser.outcome
        if isinstance(outcome, Answer):
            asker = self._end()
            self._exchange.release()
            if asker is not None:
                asker.finish(outcome)
        elif outcome is not None:
            self._fail(outcome)

    def _refused(self) -> None:
        body = bytes(self._refusal or b"")
        if self.status == 200:
            detail = f"not an event stream: {body.decode('utf-8', 'replace')}"
            self._fail(UpstreamFailure(Code.upstream_malformed, detail=detail))
        else:
            self._fail(self._provider.refusal(self.status, self._headers, body))

    @_guarded
    def _fall_silent(self) -> None:
        if self._paused:
            self._fail(Failure(Code.answer_too_long, detail=f"not read on for {self._silence_seconds:g} s"))
        else:
            self._be_late(f"silent for {self._silence_seconds:g} s")

    @_guarded
    def _be_late(self, reason: str) -> None:
        self._fail(UpstreamFailure(Code.upstream_timeout, detail=reason))

    def _broken(self) -> None:
        """One of our own parts raised what is being handled."""
        logger.exception("reading the answer of %s failed", self.target.name, extra={"run": self._run.info})
        failure = Failure(Code.internal)
        self._fail(failure)
        self._run.fail(failure)  # where it was the asker that broke

    def _fail(self, failure: Failure) -> None:
        asker = self._end()
        self._exchange.abort()
        if asker is not None:
            asker.fail(failure)

    def _end(self) -> Asker | None:
        """Waits for nothing any more; gives whoever has not heard of it yet."""
        self._silence.end()
        self._deadlines.end()
        asker, self._asker = self._asker, None
        return asker
