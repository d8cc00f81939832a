"""Chats: a question starts a run, which is followed, found again and stopped, over HTTP and WebSocket alike."""

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Scope

from ..agents.agent import Agent
from ..agents.agents import Agents
from ..config import Config
from ..errors import Code, Failure, Refusal
from ..gate.admission import Asker
from ..gate.authenticator import Authenticator
from ..gate.byok import brought_keys, with_keys
from ..gate.client_address import ClientAddresses
from ..gate.key_watch import key_ended
from ..gate.limits import check_body, check_conversation, check_tools
from ..gate.media_urls import MediaUrls
from ..gate.offer import offered_to
from ..gate.policy import decide
from ..gate.principal import Principal
from ..gate.question import Question
from ..ledger.accounting import Accounting, Begun
from ..middleware.stack import MiddlewareStack
from ..observe.limits import Counting, limits_hit
from ..observe.request import began, identified
from ..observe.telemetry import Following, Telemetry
from ..routing.router import ModelRouter
from ..runs.audience import Audience
from ..runs.engine import Engine
from ..runs.log import Log, RunInfo
from ..runs.run import Source
from ..wire.base import Encoder, Framing, Wire
from ..wire.detect import WIRES
from ..wire.offset import parse_offset
from ..wire.request import ChatRequest, Envelope, decode_envelope
from ..wire.tanstack import TANSTACK
from .body import read_body
from .drain import Drain
from .ending import parting
from .refusal import refusal_response
from .stream import EventStream

ADMISSION_SECONDS = 1.0
"""How long the status line waits for the upstream's own status; a failure after that is told in the stream."""


class Chat:
    """The HTTP endpoints (:meth:`ask`, :meth:`join`, :meth:`cancel`), and what every transport shares with them.

    Everything is asked in the name of a principal, who finds and stops their own runs only. The endpoints find out
    who that is, unless they are told.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        router: ModelRouter,
        agents: Agents,
        drain: Drain,
        authenticator: Authenticator,
        middleware: MiddlewareStack,
        telemetry: Telemetry,
        accounting: Accounting | None,
        addresses: ClientAddresses,
    ) -> None:
        self._config = config
        self._middleware = middleware
        self._telemetry = telemetry
        self._accounting = accounting
        self._addresses = addresses
        self._engine = engine
        self._router = router
        self._agents = agents
        self.drain = drain
        self.authenticator = authenticator
        self._media_urls = MediaUrls(config.policy.media_urls)

    @property
    def heartbeat(self) -> float:
        """Seconds of silence after which a connection gets a heartbeat."""
        return self._config.runs.heartbeat_seconds

    async def identify(self, scope: Scope, token: str | None = None) -> Principal:
        """Who is asking, on a connection that is opened or by a token that came on it later.

        Raises as :meth:`.Authenticator.identify`.
        """
        asks = self.authenticator.identify(scope) if token is None else self.authenticator.identify_by(token, scope)
        principal = await asks
        identified(principal.name)
        return principal

    async def ask(
        self,
        request: Request,
        route: str,
        framing: Framing,
        detect: Callable[[Envelope], Wire],
        *,
        principal: str | None = None,
        agent: Agent | None = None,
    ) -> ASGIApp:
        """``POST``: starts a run and follows it; with ``Last-Event-ID`` follows the one that the offset names.

        :param agent: answers, whatever model is asked for.
        """
        wire: Wire = TANSTACK
        limits = self._config.limits
        try:
            body = await read_body(request.stream(), limit=limits.body_bytes, seconds=limits.body_seconds)
            envelope = self.read(body)
            wire = detect(envelope)
            asker = await self._asker(principal, request.scope)
            if last := request.headers.get("last-event-id"):
                # decided before the messages are looked at: the model is not asked again (docs/wires/tanstack.md 5.2)
                return await self._resume(asker, last, None, wire, framing)
            log, headers = await self.start(asker, request.scope, envelope, wire, route, agent)
            run = self._engine.live(log)
            failure = await run.settle(ADMISSION_SECONDS) if run is not None else None
            if failure is not None:
                return refusal_response(failure, wire)
            return self._follow(asker, log, 0, wire, framing, "ask", headers)
        except Failure as failure:
            return refusal_response(failure, wire)
        except ClientDisconnect:
            return Response()

    async def join(
        self, request: Request, framing: Framing, wire: Wire | None, *, principal: str | None = None
    ) -> ASGIApp:
        """``GET``: follows a run from an offset, from its start (``-1``) or from now on (docs/wires/tanstack.md 5.3).

        Without a wire of the route's own, the answer is in the one the run was asked in.
        """
        offset = request.headers.get("last-event-id") or request.query_params.get("offset")
        try:
            asker = await self._asker(principal, request.scope)
            if not offset:
                raise Refusal(Code.no_offset)
            return await self._resume(asker, offset, request.query_params.get("runId"), wire, framing)
        except Failure as failure:
            return refusal_response(failure, wire or TANSTACK)

    async def cancel(self, request: Request, run_id: str, *, principal: str | None = None) -> ASGIApp:
        """``POST …/runs/{run}/cancel``: stops a run at once. Idempotent."""
        try:
            asker = await self._asker(principal, request.scope)
            stopped = await self.stop(asker.name, run_id)
        except Failure as failure:
            return refusal_response(failure)
        return JSONResponse({"runId": run_id, "cancelled": stopped})

    def read(self, body: bytes) -> Envelope:
        """The envelope of a request. Raises :class:`Refusal`."""
        check_body(body, self._config.limits)
        envelope = decode_envelope(body)
        check_tools(bytes(envelope.tools), self._config.limits)
        return envelope

    def address(self, scope: Scope) -> str:
        """From where a connection is, as limits count it; nothing where they do not."""
        if self._accounting is None:
            return ""
        return self._addresses.of((scope.get("client") or (None,))[0], scope["headers"])

    async def start(
        self, principal: Principal, scope: Scope, envelope: Envelope, wire: Wire, route: str, agent: Agent | None = None
    ) -> Begun:
        """The log of the run that a body asks for, which is started if it is new.

        :param scope: of the connection it is asked on.
        :param route: the path it was asked at.
        :param agent: answers, whatever model is asked for.

        Raises :class:`Refusal`.
        """
        if agent is None and not self._config.models:
            raise Refusal(Code.not_found)
        request = _parse(wire, envelope, self._config.limits.messages)
        check_conversation(request.messages, self._config.limits)
        keys = brought_keys(scope["headers"], self._config.byok.providers)
        await self._media_urls.check(request.messages)
        info = RunInfo(
            principal=principal.name,
            thread_id=request.thread_id or f"thread-{secrets.token_urlsafe(12)}",
            run_id=request.run_id or f"run-{secrets.token_urlsafe(16)}",
            wire=wire.name,
            trace=self._telemetry.place(),
        )
        began(info)
        question = await self._middleware.request(Question(info, request.messages, request.options))
        config = offered_to(self._config, principal.scopes)
        if agent is not None:
            config = _offering(agent, config)
        elif not config.models:
            raise Refusal(Code.refused_choice)
        grant = decide(config, question)
        agent = agent or self._agents.get(grant.model.name)
        source: Source
        if agent is None:
            model = with_keys(grant.model, keys)
            source = self._router.source(model, grant.prompt)
        else:
            model = agent.model
            source = self._agents.source(agent, question, grant.prompt, _data(envelope), principal.scopes.tools)
        grace = self._config.disconnect.grace(wire.name, route)
        with Counting(Code.overloaded, "runs"):
            if self._accounting is None:
                begun = Begun(await self._engine.start(info, grace, source, model=model.name), {})
            else:
                asker = Asker(principal, self.address(scope))
                begun = await self._accounting.start(self._engine, info, asker, model, grant.prompt, grace, source)
        self._check_room(begun.log)
        run = self._engine.live(begun.log)
        if run is not None and run.info is info:  # another key's run is not ended with this one
            self.authenticator.watch.hold(principal, lambda: run.abandon(key_ended()), over=lambda: run.ended)
        return begun

    async def find(self, principal: str, offset: str, run_id: str | None) -> tuple[Log, int] | None:
        """The log and the place in it that an offset names; of the run ``run_id``, where that is given.

        Raises :class:`Refusal`.
        """
        if offset in ("-1", "now"):
            log = await self._engine.find(principal, run_id=run_id) if run_id else None
            after = log.length if log is not None and offset == "now" else 0
        else:
            key, after = parse_offset(offset) or ("", 0)
            log = await self._engine.find(principal, key=key) if key else None
        if log is None or after > log.length or (run_id and log.info.run_id != run_id):
            return None
        self._check_room(log)
        return log, after

    async def stop(self, principal: str, run_id: str) -> bool:
        """Stops a run at once; returns whether it was still under way. Raises :class:`Refusal` (``unknown_run``)."""
        return await self._engine.cancel(principal, run_id)

    def following(self, log: Log, how: str) -> Following | None:
        """Who looks on while a connection follows a log, because it asks, joins or resumes; ``None`` for nobody."""
        return self._telemetry.follow(log, how)

    async def _asker(self, principal: str | None, scope: Scope) -> Principal:
        """Who is asking, where it was not said."""
        return await self.identify(scope) if principal is None else Principal(name=principal)

    def audience(self, log: Log) -> Audience | None:
        """The audience of the run that writes this log, where it is under way in this process."""
        run = self._engine.live(log)
        return run.audience if run is not None else None

    def _check_room(self, log: Log) -> None:
        if log.readers >= self._config.limits.readers:
            limits_hit("readers")
            raise Refusal(Code.overloaded, "This answer has too many readers. Try again in a moment.")

    async def _resume(
        self, asker: Principal, offset: str, run_id: str | None, wire: Wire | None, framing: Framing
    ) -> ASGIApp:
        found = await self.find(asker.name, offset, run_id)
        if found is None:
            if wire is not None and not wire.repeats_terminal:
                return Response(status_code=204)
            raise Refusal(Code.unknown_run)
        log, after = found
        wire = wire or WIRES[log.info.wire]
        if log.closed and after == log.length and not wire.repeats_terminal:
            return Response(status_code=204)
        return self._follow(asker, log, after, wire, framing, manner(offset))

    def _follow(
        self,
        asker: Principal,
        log: Log,
        after: int,
        wire: Wire,
        framing: Framing,
        how: str,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> EventStream:
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
            headers=headers,
            hold=partial(self.authenticator.watch.hold, asker),
            follow=lambda: self.following(log, how),
        )


def manner(offset: str) -> str:
    """How somebody comes to follow a run who did not ask for it: by ``join``, or by ``resume``."""
    return "join" if offset in ("-1", "now") else "resume"


def _parse(wire: Wire, envelope: Envelope, max_messages: int) -> ChatRequest:
    try:
        with Counting(Code.too_many_messages, Code.too_many_messages):
            return wire.parse(envelope, max_messages=max_messages)
    except RecursionError:
        raise Refusal(Code.bad_json, "The request body is nested too deeply.") from None


def _offering(agent: Agent, config: Config) -> Config:
    """The same policy, where an agent answers everything."""
    return msgspec.structs.replace(config, default_model=agent.name, models={**config.models, agent.name: agent.model})


def _data(envelope: Envelope) -> dict[str, Any]:
    """What a client sends beside its messages, in the words of either generation."""
    sent = (envelope.data, envelope.forwarded_props)
    return {name: value for fields in sent if isinstance(fields, dict) for name, value in fields.items()}
