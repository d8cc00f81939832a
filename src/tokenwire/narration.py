"""What a model says, told as events: the one place that knows which event may follow which.

A codec says what it reads (:meth:`Narration.text`, :meth:`Narration.reasoning`, :meth:`Narration.begin_call` …) in
whatever order it comes, and the events are legal. Deltas that were read together become one: a client draws one
event a tick, however fast they come.
"""

from typing import Literal

from . import events

_Delta = type[events.TextMessageContent] | type[events.ReasoningMessageContent] | type[events.ToolCallArgs]


class Narration:
    """One answer as it is told. ``message_id`` is that of its first message; later ones are made from it.

    A message has its reasoning first, then either text or tool calls; what comes in another order begins the next
    message. It is begun before its reasoning: a client that joins rebuilds its last bubble at the message's start, and
    would drop reasoning that came before (docs/wires/tanstack.md 5.4). To the bubbles before the last it applies the
    replay once more, which must change nothing: text that a call follows would be shown twice, and so would text
    after reasoning after text even without a replay (2.2, 2.3).

    A signature of what nobody can read, after text or calls, waits for what follows: it is the first thing of the next
    message, or where there is none the last of this one, never a message that shows nothing.
    """

    def __init__(self, message_id: str) -> None:
        self.tokens = 0
        """Pieces so far: for most models a token each."""
        self._first_id = message_id
        self._message_id = ""
        self._messages = 0
        self._begun: Literal["nothing", "reasoning", "text", "calls"] = "nothing"
        """How far the open message has come; ``nothing`` when none is open."""
        self._span_id = ""
        self._spans = 0
        self._span_open = False
        self._thought_open = False
        self._waiting: list[str] = []
        """Signatures that came after text or calls."""
        self._calls: dict[str, None] = {}
        self._speaking: _Delta | None = None
        """What the deltas become …"""
        self._subject = ""
        """… and the id of what they are of."""
        self._deltas: list[str] = []
        self._told: list[events.Event] = []

    def text(self, delta: str) -> None:
        """More text."""
        if not delta:
            return
        self.tokens += 1
        if self._speaking is not events.TextMessageContent:
            self._begin_speech(after="calls")
            self._begun = "text"
            self._speaking, self._subject = events.TextMessageContent, self._message_id
        self._deltas.append(delta)

    def reasoning(self, delta: str) -> None:
        """More reasoning, in the span that is open or in a new one."""
        if not delta:
            return
        self.tokens += 1
        if self._speaking is not events.ReasoningMessageContent:
            self._fall_silent()
            self._open_span()
            if not self._thought_open:
                self._thought_open = True
                self._told.append(events.ReasoningMessageStart(self._span_id, "reasoning"))
            self._speaking, self._subject = events.ReasoningMessageContent, self._span_id
        self._deltas.append(delta)

    def sign(self, signature: str) -> None:
        """Ends the span of reasoning that is open with its signature. Where none is, it is one that nobody can read."""
        self._fall_silent()
        if self._begun in ("text", "calls"):
            self._waiting.append(signature)
        else:
            self._open_span()
            self._seal(signature)

    def end_reasoning(self) -> None:
        """Ends the span of reasoning that is open, if there is one: what follows is another."""
        self._fall_silent()
        self._end_span()

    def begin_call(self, call_id: str, name: str, signature: str | None = None) -> None:
        """The model calls a tool. ``call_id`` is new in this answer."""
        self.tokens += 1
        self._begin_speech(after="text")
        self._begun = "calls"
        self._calls[call_id] = None
        self._told.append(events.ToolCallStart(call_id, name, self._message_id))
        if signature is not None:
            self._told.append(events.ReasoningEncryptedValue("tool-call", call_id, signature))

    def arguments(self, call_id: str, delta: str) -> None:
        """More of a call's arguments. Nothing where the call is not open."""
        if not delta or call_id not in self._calls:
            return
        self.tokens += 1
        if self._speaking is not events.ToolCallArgs or self._subject != call_id:
            self._fall_silent()
            self._speaking, self._subject = events.ToolCallArgs, call_id
        self._deltas.append(delta)

    def end_call(self, call_id: str) -> None:
        """A call's arguments are complete. Nothing where the call is not open."""
        if call_id in self._calls:
            self._fall_silent()
            del self._calls[call_id]
            self._told.append(events.ToolCallEnd(call_id))

    def take(self) -> list[events.Event]:
        """What there is to tell since the last time."""
        told, deltas = self._told, self._deltas
        if deltas and self._speaking is not None:  # as :meth:`_flush`, without a call: it is done for every token
            told.append(self._speaking(self._subject, deltas[0] if len(deltas) == 1 else "".join(deltas)))
            deltas.clear()
        self._told = []
        return told

    def close(self) -> list[events.Event]:
        """The same, and the ends of all that is open."""
        self._fall_silent()
        self._end_span()
        for call_id in tuple(self._calls):
            self.end_call(call_id)
        self._tell_waiting()
        self._end_message()
        return self.take()

    def _fall_silent(self) -> None:
        if self._deltas:
            self._flush()
        self._speaking = None

    def _flush(self) -> None:
        delta = self._deltas[0] if len(self._deltas) == 1 else "".join(self._deltas)
        self._deltas.clear()
        if self._speaking is not None:
            self._told.append(self._speaking(self._subject, delta))

    def _begin_speech(self, *, after: Literal["text", "calls"]) -> None:
        """What is to be shown begins: in the open message, unless that has come to what cannot stand before it."""
        self._fall_silent()
        self._end_span()
        if self._waiting:
            self._begin_reasoning()
        elif self._begun in ("nothing", after):
            self._begin_message()

    def _begin_message(self) -> None:
        self._end_message()
        self._messages += 1
        self._spans = 0
        self._message_id = self._first_id if self._messages == 1 else f"{self._first_id}-{self._messages}"
        self._told.append(events.TextMessageStart(self._message_id, "assistant"))

    def _end_message(self) -> None:
        if self._begun != "nothing":
            self._begun = "nothing"
            self._told.append(events.TextMessageEnd(self._message_id))

    def _begin_reasoning(self) -> None:
        self._begin_message()
        self._begun = "reasoning"
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        for signature in self._waiting:
            self._begin_span()
            self._seal(signature)
        self._waiting.clear()

    def _open_span(self) -> None:
        if not self._span_open:
            if self._begun != "reasoning":
                self._begin_reasoning()
            self._begin_span()

    def _begin_span(self) -> None:
        self._spans += 1
        self._span_id = f"{self._message_id}-reasoning" + (f"-{self._spans}" if self._spans > 1 else "")
        self._span_open = True
        self._told.append(events.ReasoningStart(self._span_id))

    def _seal(self, signature: str) -> None:
        self._end_thought()
        self._told.append(events.ReasoningEncryptedValue("message", self._span_id, signature))
        self._end_span()

    def _end_thought(self) -> None:
        if self._thought_open:
            self._thought_open = False
            self._told.append(events.ReasoningMessageEnd(self._span_id))

    def _end_span(self) -> None:
        if self._span_open:
            self._end_thought()
            self._span_open = False
            self._told.append(events.ReasoningEnd(self._span_id))
