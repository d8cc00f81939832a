"""Chats over WebSocket (docs/wires/tanstack.md 1.7 and 5.5, docs/wires/rais.md 11)."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Message, Receive, Scope, Send

from ..errors import Code, Failure, Refusal
from ..gate.credentials import MAX_CREDENTIAL, chosen_subprotocol
from ..gate.principal import Principal
from ..observe.limits import limits_hit
from ..observe.request import id_headers
from ..runs.log import Log
from ..wire.base import WEBSOCKET, Encoder, Wire
from ..wire.detect import WIRES, detect
from ..wire.request import MAX_ID
from ..wire.tanstack import TANSTACK
from .chat import Chat, manner
from .turn import INTERNAL_ERROR, SERVICE_RESTART, Turn

logger = logging.getLogger("tokenwire.server")

IDLE_SECONDS = 300.0
AUTH_SECONDS = 10.0
"""For the first frame, where it has to say who is asking."""
MAX_RUNS = 16
"""Runs that one socket may follow at once."""

_MAX_AUTH = 2 * MAX_CREDENTIAL
_NORMAL, _NOT_JSON, _POLICY, _UNAUTHENTICATED = 1000, 1007, 1008, 4401


class ChatSocket:
    """One connection: the runs its client asks for, resumes and aborts on it, until either side closes.

    Opened with an ``offset`` it replays one run and closes. Otherwise each text frame is a question, in the wire that
    the first one speaks, or the abort of a run that is followed here. The newest TanStack client asks many questions
    on one socket; the others know its end by its close, so theirs is closed after their answer.

    Who is asking may be said in the first frame, ``{"type": "auth", "token": …}``, and said again in any later one.

    A closed socket is a reader who left, nothing more: what becomes of the run is its audience's affair.
    """

    def __init__(
        self,
        chat: Chat,
        route: str,
        receive: Receive,
        send: Send,
        *,
        idle_seconds: float = IDLE_SECONDS,
        auth_seconds: float = AUTH_SECONDS,
    ) -> None:
        self._chat = chat
        self._route = route
        self._receive = receive
        self._send = send
        self._idle_seconds = idle_seconds
        self._auth_seconds = auth_seconds
        self._scope: Scope
        self._principal: Principal
        self._let_go: Callable[[], None] = lambda: None
        self._wire: Wire | None = None
        self._replays = False
        self._turns: dict[str, Turn] = {}
        self._moved: asyncio.Task[None] | None = None
        self._parting: asyncio.Task[None] | None = None
        # first come, first served: on a slow connection the runs take turns, frame by frame
        self._writing = asyncio.Lock()

    async def serve(self, scope: Scope) -> None:
        """Accepts, unless nobody we know is asking, and stays until the end. Nothing of it is left running then."""
        try:
            await self._receive()
            self._scope = scope
            try:
                known = await self._known()
                subprotocol = chosen_subprotocol(scope["subprotocols"])
                await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": id_headers()})
                if not known and not await self._introduced():
                    return
            except _Unanswerable as unknown:
                await self._close(unknown.code, unknown.reason)
                return
            self._chat.drain.watch(self._move_on)
            query = QueryParams(scope["query_string"])
            if "offset" in query:
                await self._resume(query["offset"], query.get("runId"))
            await self._listen()
        except OSError:
            logger.debug("a socket is gone")
        except asyncio.CancelledError:
            # the server stops and has waited long enough; raised further, it would be logged as our fault
            logger.info("a socket was left behind: it did not close")
        except Exception:
            logger.exception("a socket failed")
            await self._close(INTERNAL_ERROR, Code.internal)
        finally:
            self._let_go()
            self._chat.drain.unwatch(self._move_on)
            await asyncio.gather(*(turn.cut() for turn in self._turns.values()), return_exceptions=True)

    async def _identify(self, token: str | None = None) -> None:
        """Finds out who is asking.

        :raises _Unanswerable: where that is nobody, or somebody else than is being answered.
        """
        try:
            principal = await self._chat.identify(self._scope, token)
        except Failure as failure:
            known = failure.code is not Code.unauthenticated
            raise _Unanswerable(_POLICY if known else _UNAUTHENTICATED, failure.code) from None
        if self._turns and principal.name != self._principal.name:
            raise _Unanswerable(_UNAUTHENTICATED, Code.unauthenticated)
        self._let_go()
        self._principal = principal
        self._let_go = self._chat.authenticator.watch.hold(principal, self._dismiss)

    async def _known(self) -> bool:
        """Whether the connection itself says who is asking. Else its first frame may.

        :raises _Unanswerable: where it may not.
        """
        try:
            await self._identify()
        except _Unanswerable as unknown:
            if unknown.code != _UNAUTHENTICATED or not self._chat.authenticator.may_say_later(self._scope):
                raise
            return False
        return True

    async def _introduced(self) -> bool:
        """Whether the first frame says who is asking; false where the connection is gone instead.

        :raises _Unanswerable: where it says anything else.
        """
        try:
            async with asyncio.timeout(self._auth_seconds):
                message = await self._receive()
        except TimeoutError:
            raise _Unanswerable(_UNAUTHENTICATED, Code.unauthenticated) from None
        if message["type"] != "websocket.receive":
            return False
        frame = _content(message)
        head = _read_head(frame) if len(frame) <= _MAX_AUTH else _Head()
        if head.type != "auth" or not isinstance(head.token, str):
            raise _Unanswerable(_UNAUTHENTICATED, Code.unauthenticated)
        await self._identify(head.token)
        return True

    def _dismiss(self) -> None:
        """Who is asking is nobody we know any more."""
        for turn in self._turns.values():
            turn.cut()
        self._parting = asyncio.create_task(self._close(_UNAUTHENTICATED, Code.unauthenticated))

    async def _listen(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._idle_seconds):
                    message = await self._receive()
            except TimeoutError:
                if not self._turns:
                    await self._close(_NORMAL, "idle")
                    return
                continue
            if message["type"] != "websocket.receive":
                return
            try:
                await self._take(_content(message))
            except _Unanswerable as bad:
                await self._close(bad.code, bad.reason)
                return

    async def _take(self, frame: bytes) -> None:
        if self._parting is not None:
            return  # whoever does not read that they were sent away could go on asking until they are gone
        head = _read_head(frame)
        if head.type == "auth":
            await self._identify(head.token if isinstance(head.token, str) else "")
        elif head.type == "abort":
            await self._abort(head.run_id)
        elif not self._replays:
            await self._ask(frame, head)

    async def _ask(self, frame: bytes, head: "_Head") -> None:
        run_id, thread_id = head.run_id, head.thread_id
        try:
            envelope = self._chat.read(frame)
            run_id, thread_id = envelope.run_id, envelope.thread_id
            self._wire = self._wire or detect(envelope)
            if self._stays and run_id is None:
                raise Refusal(Code.bad_request, "The request has no runId.")
            if isinstance(run_id, str) and run_id in self._turns:
                return
            if self._principal.expired:
                raise Refusal(Code.unauthenticated)
            if len(self._turns) >= MAX_RUNS:
                limits_hit("connection")
                raise Refusal(Code.overloaded, "Too many answers at once on one connection.")
            begun = await self._chat.start(self._principal, self._scope, envelope, self._wire, self._route)
        except Failure as failure:
            await self._refuse(failure, run_id, thread_id)
        else:
            self._follow(begun.log, 0, self._wire, returns=self._wire.returns, how="ask")

    async def _refuse(self, failure: Failure, run_id: Any, thread_id: Any) -> None:
        """Tells a failure as the only event of its run.

        :raises _Unanswerable: where the client would not know which run is meant.
        """
        run_id = run_id if isinstance(run_id, str) and len(run_id) <= MAX_ID else ""
        self._wire = wire = self._wire or (TANSTACK if run_id else None)
        if wire is None or (self._stays and not run_id):
            raise _Unanswerable(_NOT_JSON if failure.code is Code.bad_json else _POLICY, failure.code)
        thread_id = thread_id if isinstance(thread_id, str) else ""
        await self._deliver(Encoder(wire, WEBSOCKET, "").tell(failure, thread_id, run_id))
        await self._rest()

    async def _abort(self, run_id: Any) -> None:
        """Stops a run that is followed here, of which not one more event is sent. Anybody else's goes on."""
        if not isinstance(run_id, str):
            raise _Unanswerable(_POLICY, "an abort needs a runId")
        turn = self._turns.pop(run_id, None)
        if turn is None:
            return
        turn.cut()
        with contextlib.suppress(Refusal):  # it ended, and was forgotten, just now
            await self._chat.stop(self._principal.name, run_id)
        await self._rest()

    async def _resume(self, offset: str, run_id: str | None) -> None:
        self._replays = True
        try:
            found = await self._chat.find(self._principal.name, offset, run_id)
        except Failure as failure:
            await self._close(INTERNAL_ERROR, failure.code)
            return
        if found is None:
            await self._close(_POLICY, Code.unknown_run)
            return
        log, after = found
        wire = WIRES[log.info.wire]
        if log.closed and after == log.length and not wire.repeats_terminal:
            await self._close(_NORMAL)
            return
        # a join from the start is the one thing that TanStack's client does not take up again
        self._follow(log, after, wire, returns=wire.returns and offset != "-1", how=manner(offset))

    def _follow(self, log: Log, after: int, wire: Wire, *, returns: bool, how: str) -> None:
        self._turns[log.info.run_id] = Turn(
            log,
            after,
            wire,
            drain=self._chat.drain,
            returns=returns,
            audience=self._chat.audience(log),
            heartbeat=self._chat.heartbeat,
            deliver=self._deliver,
            on_end=self._ended,
            close=self._close,
            following=self._chat.following(log, how),
        )

    async def _deliver(self, message: bytes) -> None:
        async with self._writing:
            await self._send({"type": "websocket.send", "text": message.decode()})

    async def _ended(self, turn: Turn, whole: bool) -> None:
        del self._turns[turn.run_id]
        if whole or self._stays:
            await self._rest()
        else:
            await self._close(SERVICE_RESTART, Code.shutting_down)

    async def _rest(self) -> None:
        """Closes a socket on which nothing more is to come, here at least."""
        if self._turns:
            return
        if not self._stays:
            await self._close(_NORMAL)
        elif self._chat.drain.moving:
            await self._close(SERVICE_RESTART, Code.shutting_down)

    def _move_on(self) -> None:
        # a socket without a run is closed at once: its client opens another, somewhere else, when it needs one
        if self._stays and not self._turns:
            self._moved = asyncio.create_task(self._rest())

    @property
    def _stays(self) -> bool:
        return not self._replays and self._wire is not None and self._wire.numbered(WEBSOCKET)

    async def _close(self, code: int, reason: str = "") -> None:
        with contextlib.suppress(OSError):  # it is closed already
            await self._send({"type": "websocket.close", "code": code, "reason": reason})


class _Unanswerable(Exception):
    """A frame for which there is no answer but to close."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    """What has to be known of a frame even where the rest of it cannot be read."""

    type: Any = None
    run_id: Any = None
    thread_id: Any = None
    token: Any = None


_head_decoder = msgspec.json.Decoder(_Head)


def _read_head(frame: bytes) -> _Head:
    try:
        return _head_decoder.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return _Head()


def _content(message: Message) -> bytes:
    text = message.get("text")
    if text is not None:
        return str(text).encode()
    data: bytes = message["bytes"]
    try:
        data.decode()
    except UnicodeDecodeError:
        raise _Unanswerable(_NOT_JSON, "not UTF-8") from None
    return data
