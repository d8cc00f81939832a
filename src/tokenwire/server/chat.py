"""Chats: a question starts a run, which is followed, found again and stopped, over HTTP and WebSocket alike."""

import secrets
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from ..config import Config
from ..errors import Code, Failure, Refusal
from ..gate.policy import decide
from ..routing.router import ModelRouter
from ..runs.audience import Audience
from ..runs.engine import Engine
from ..runs.log import Log, RunInfo
from ..wire.base import Encoder, Framing, Wire
from ..wire.detect import WIRES
from ..wire.offset import parse_offset
from ..wire.request import ChatRequest, Envelope, decode_envelope
from ..wire.tanstack import TANSTACK
from .body import Disconnected, read_body
from .drain import Drain
from .ending import parting
from .refusal import refusal_response
from .stream import EventStream

ADMISSION_SECONDS = 1.0
"""How long the status line waits for the upstream's own status; a failure after that is told in the stream."""

ANONYMOUS = ""
"""The one principal there is as long as nobody has to say who they are."""


class Chat:
    """The HTTP endpoints (:meth:`ask`, :meth:`join`, :meth:`cancel`), and what every transport shares with them."""

    def __init__(self, config: Config, engine: Engine, router: ModelRouter, drain: Drain) -> None:
        self._config = config
        self._engine = engine
        self._router = router
        self.drain = drain

    @property
    def heartbeat(self) -> float:
        """Seconds of silence after which a connection gets a heartbeat."""
        return self._config.runs.heartbeat_seconds

    async def ask(self, request: Request, route: str, framing: Framing, detect: Callable[[Envelope], Wire]) -> ASGIApp:
        """``POST``: starts a run and follows it; with ``Last-Event-ID`` follows the one that the offset names."""
        wire: Wire = TANSTACK
        limits = self._config.limits
        try:
            body = await read_body(request.receive, limit=limits.body_bytes, seconds=limits.body_seconds)
            envelope = decode_envelope(body)
            wire = detect(envelope)
            if last := request.headers.get("last-event-id"):
                # decided before the messages are looked at: the model is not asked again (docs/wires/tanstack.md 5.2)
                return await self._resume(last, None, wire, framing)
            log = await self.start(envelope, wire, route)
            run = self._engine.live(log)
            failure = await run.settle(ADMISSION_SECONDS) if run is not None else None
            if failure is not None:
                return refusal_response(failure, wire)
            return self._follow(log, 0, wire, framing)
        except Failure as failure:
            return refusal_response(failure, wire)
        except Disconnected:
            return Response()

    async def join(self, request: Request, framing: Framing, wire: Wire | None) -> ASGIApp:
        """``GET``: follows a run from an offset, from its start (``-1``) or from now on (docs/wires/tanstack.md 5.3).

        Without a wire of the route's own, the answer is in the one the run was asked in.
        """
        offset = request.headers.get("last-event-id") or request.query_params.get("offset")
        try:
            if not offset:
                raise Refusal(Code.no_offset)
            return await self._resume(offset, request.query_params.get("runId"), wire, framing)
        except Failure as failure:
            return refusal_response(failure, wire or TANSTACK)

    async def cancel(self, request: Request) -> ASGIApp:
        """``POST …/runs/{run}/cancel``: stops a run at once. Idempotent."""
        run_id = request.path_params["run"]
        try:
            stopped = await self.stop(run_id)
        except Failure as failure:
            return refusal_response(failure)
        return JSONResponse({"runId": run_id, "cancelled": stopped})

    async def start(self, envelope: Envelope, wire: Wire, route: str) -> Log:
        """The log of the run that a body asks for, which is started if it is new.

        :param route: the path it was asked at.

        Raises :class:`Refusal`.
        """
        asked = _parse(wire, envelope, self._config.limits.messages)
        grant = decide(self._config, asked)
        info = RunInfo(
            principal=ANONYMOUS,
            thread_id=asked.thread_id or f"thread-{secrets.token_urlsafe(12)}",
            run_id=asked.run_id or f"run-{secrets.token_urlsafe(16)}",
            wire=wire.name,
        )
        source = self._router.source(grant.model, grant.prompt)
        log = await self._engine.start(info, self._config.disconnect.grace(wire.name, route), source)
        return self._with_room(log)

    async def find(self, offset: str, run_id: str | None) -> tuple[Log, int] | None:
        """The log and the place in it that an offset names; of the run ``run_id``, where that is given.

        Raises :class:`Refusal`.
        """
        if offset in ("-1", "now"):
            log = await self._engine.find(ANONYMOUS, run_id=run_id) if run_id else None
            after = log.length if log is not None and offset == "now" else 0
        else:
            key, after = parse_offset(offset) or ("", 0)
            log = await self._engine.find(ANONYMOUS, key=key) if key else None
        if log is None or after > log.length or (run_id and log.info.run_id != run_id):
            return None
        return self._with_room(log), after

    async def stop(self, run_id: str) -> bool:
        """Stops a run at once; returns whether it was still under way. Raises :class:`Refusal` (``unknown_run``)."""
        return await self._engine.cancel(ANONYMOUS, run_id)

    def audience(self, log: Log) -> Audience | None:
        """The audience of the run that writes this log, where it is under way in this process."""
        run = self._engine.live(log)
        return run.audience if run is not None else None

    def _with_room(self, log: Log) -> Log:
        if log.readers >= self._config.limits.readers:
            raise Refusal(Code.overloaded, "This answer has too many readers. Try again in a moment.")
        return log

    async def _resume(self, offset: str, run_id: str | None, wire: Wire | None, framing: Framing) -> ASGIApp:
        found = await self.find(offset, run_id)
        if found is None:
            if wire is not None and not wire.repeats_terminal:
                return Response(status_code=204)
            raise Refusal(Code.unknown_run)
        log, after = found
        wire = wire or WIRES[log.info.wire]
        if log.closed and after == log.length and not wire.repeats_terminal:
            return Response(status_code=204)
        return self._follow(log, after, wire, framing)

    def _follow(self, log: Log, after: int, wire: Wire, framing: Framing) -> EventStream:
        encoder = Encoder(wire, framing, log.key, after)
        return EventStream(
            log,
            encoder,
            after=after,
            heartbeat=self.heartbeat,
            drain=self.drain,
            returns=wire.returns,
            audience=self.audience(log),
            parting=parting(log, after, encoder),
        )


def _parse(wire: Wire, envelope: Envelope, max_messages: int) -> ChatRequest:
    try:
        return wire.parse(envelope, max_messages=max_messages)
    except RecursionError:
        raise Refusal(Code.bad_json, "The request body is nested too deeply.") from None
