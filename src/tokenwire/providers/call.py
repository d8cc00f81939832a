"""One question to one model: connects a provider's codec, a transport and a run."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Concatenate, ParamSpec

from .. import events
from ..errors import Code, Failure, UpstreamFailure
from ..runs.run import Run
from ..silence import Silence
from .base import Answer, Prompt, Provider, Target
from .transport import Exchange, Transport

logger = logging.getLogger("tokenwire.providers")

_REFUSAL_BYTES = 64 * 1024
_DETAIL_CHARACTERS = 500
_P = ParamSpec("_P")
_NOT_A_STREAM = ("application/json", "text/html")


def _guarded(entry: Callable[Concatenate["ModelCall", _P], None]) -> Callable[Concatenate["ModelCall", _P], None]:
    """Nothing is above a sink but the event loop: an exception becomes a failed run."""

    def guarded(call: "ModelCall", /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            entry(call, *args, **kwargs)
        except Exception:
            logger.exception("reading the answer of %s failed", call._target.name)
            call._fail(Failure(Code.internal))

    guarded.__doc__ = entry.__doc__
    return guarded


class ModelCall:
    """A source (:class:`tokenwire.runs.run.Source`) that asks a model over HTTP, and the sink of its answer.

    Everything happens in the socket's read callback.
    """

    def __init__(
        self, provider: Provider, target: Target, prompt: Prompt, transport: Transport, *, silence_seconds: float
    ) -> None:
        self._provider = provider
        self._target = target
        self._prompt = prompt
        self._transport = transport
        self._silence_seconds = silence_seconds
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._refusal: bytearray | None = None
        self._paused = False
        self._most = prompt.max_tokens

    def start(self, run: Run) -> None:
        """Sends the question."""
        self._run = run
        self._parser = self._provider.parser(f"msg-{run.log.key[:12]}")
        call = self._provider.build(self._target, self._prompt)
        del self._prompt  # not held for as long as the answer takes
        self._exchange: Exchange = self._transport.send(call, self)
        self._silence = Silence(asyncio.get_running_loop(), self._silence_seconds, self._timed_out)

    def stop(self) -> Sequence[events.Event]:
        """Closes the upstream's socket."""
        self._silence.end()
        self._exchange.abort()
        return self._parser.close()

    def pause(self) -> None:
        """Reads no more: after ``silence_seconds`` of it the run ends, because nobody can take what it says."""
        self._paused = True
        self._exchange.pause()

    def resume(self) -> None:
        """Reads on."""
        self._paused = False
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
        self._status, self._headers = status, headers
        readable = headers.get("content-encoding", "identity") == "identity"
        if status == 200 and readable and not headers.get("content-type", "").startswith(_NOT_A_STREAM):
            self._run.accept()
        else:
            self._refusal = bytearray()

    @_guarded
    def body(self, data: bytes) -> None:
        """More of the answer."""
        self._silence.active = True
        if self._refusal is None:
            self._run.emit(self._parser.feed(data))
            if self._parser.outcome is not None:
                self._conclude()
            return
        self._refusal += data
        if len(self._refusal) > _REFUSAL_BYTES:
            self._exchange.abort()
            self._refused()

    @_guarded
    def end(self) -> None:
        """The body is complete."""
        if self._refusal is not None:
            self._refused()
        elif self._parser.outcome is None:
            self._run.emit(self._parser.end())
            self._conclude()

    @_guarded
    def lost(self, reason: str) -> None:
        """The connection is gone; the answer may have been complete all the same."""
        if not self._status:
            self._fail(UpstreamFailure(Code.upstream_unavailable, detail=reason))
        else:
            self.end()

    def _conclude(self) -> None:
        outcome = self._parser.outcome
        if isinstance(outcome, Answer):
            self._silence.end()
            self._exchange.release()
            self._run.finish(outcome.reason, model=self._target.name, usage=outcome.usage)
        elif outcome is not None:
            self._fail(outcome)

    def _refused(self) -> None:
        body = bytes(self._refusal or b"")
        if self._status == 200:
            detail = f"not an event stream: {body.decode('utf-8', 'replace')}"
            self._fail(UpstreamFailure(Code.upstream_malformed, detail=detail))
        else:
            self._fail(self._provider.refusal(self._status, self._headers, body))

    def _timed_out(self) -> None:
        if self._paused:
            self._fail(Failure(Code.answer_too_long, detail=f"not read on for {self._silence_seconds:g} s"))
            return
        self._fail(UpstreamFailure(Code.upstream_timeout, detail=f"silent for {self._silence_seconds:g} s"))

    def _fail(self, failure: Failure) -> None:
        self._silence.end()
        self._exchange.abort()
        if failure.detail:
            where = f"{self._target.provider}/{self._target.model}"
            logger.warning("run %s: %s from %s: %s", self._run.info.run_id, failure.code, where, self._detail(failure))
        self._run.fail(failure)

    def _detail(self, failure: Failure) -> str:
        """The detail on one line; upstreams are known to quote the key they refuse.

        Cut after that: half a key that a cut left would not be recognised.
        """
        detail = " ".join(failure.detail.split())
        if self._target.key is not None:
            detail = detail.replace(self._target.key.reveal(), "****")
        return detail[:_DETAIL_CHARACTERS]
