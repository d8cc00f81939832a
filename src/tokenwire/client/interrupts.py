"""A run that waits for its user (docs/wires/tanstack.md, *Approvals* and *Client tools*)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import ClientError


@dataclass(frozen=True, slots=True)
class Resolution:
    """An answer to one interrupt, as the next request carries it."""

    interrupt_id: str
    status: Literal["resolved", "cancelled"]
    payload: Any = None

    def to_dict(self) -> dict[str, Any]:
        """``{"interruptId", "payload", "status"}``; a cancelled one has no payload."""
        if self.status == "cancelled":
            return {"interruptId": self.interrupt_id, "status": self.status}
        return {"interruptId": self.interrupt_id, "payload": self.payload, "status": self.status}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """Something a run waits for.

    ``kind`` is ``approval`` (may a tool run?), ``client-tool`` (what does the client's tool give?) or ``generic``.
    The methods make the answers that :meth:`ChatClient.resolve_interrupts` takes.
    """

    id: str
    kind: Literal["approval", "client-tool", "generic"]
    reason: str = ""
    message: str | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    input: Any = None
    response_schema: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Interrupt":
        """The interrupt that ``outcome.interrupts`` describes."""
        metadata = fields["metadata"] if isinstance(fields.get("metadata"), Mapping) else {}
        binding = metadata.get("tanstack:interruptBinding")
        binding = binding if isinstance(binding, Mapping) else {}
        reason = str(fields.get("reason") or "")
        marks = (metadata.get("kind"), binding.get("kind"), reason)
        kind: Literal["approval", "client-tool", "generic"] = "generic"
        if any(mark in ("approval", "tool-approval", "approval_required") for mark in marks):
            kind = "approval"
        elif any(mark in ("client_tool", "client-tool-execution", "client_tool_input") for mark in marks):
            kind = "client-tool"
        return cls(
            id=str(fields.get("id")),
            kind=kind,
            reason=reason,
            message=fields.get("message"),
            tool_call_id=fields.get("toolCallId") or binding.get("toolCallId"),
            tool_name=metadata.get("toolName") or binding.get("toolName"),
            input=metadata.get("input", binding.get("originalArgs")),
            response_schema=fields.get("responseSchema"),
            metadata=metadata,
        )

    def approve(self, edited_args: Mapping[str, Any] | None = None, payload: Any = None) -> Resolution:
        """Yes; with ``edited_args``, yes with other arguments."""
        answer: dict[str, Any] = {"approved": True}
        if edited_args is not None:
            answer["editedArgs"] = dict(edited_args)
        if payload is not None:
            answer["payload"] = payload
        return self.resolve(answer)

    def deny(self, payload: Any = None) -> Resolution:
        """No."""
        return self.resolve({"approved": False} if payload is None else {"approved": False, "payload": payload})

    def resolve(self, payload: Any) -> Resolution:
        """The answer is ``payload``."""
        return Resolution(self.id, "resolved", payload)

    def cancel(self) -> Resolution:
        """There will be no answer."""
        return Resolution(self.id, "cancelled")


InterruptSource = Literal["hydrate", "live"]


@dataclass(frozen=True, slots=True)
class InterruptState:
    """What waits for the user, and whether the answers are on their way."""

    interrupts: Sequence[Interrupt]
    resuming: bool


@dataclass(frozen=True, slots=True)
class ResumeState:
    """The run that waits for its user."""

    thread_id: str
    run_id: str


Resolver = bool | Callable[[Interrupt], Resolution | bool]


@dataclass(slots=True)
class Pause:
    """A run that waits, what it waits for, and the answers so far. All of them go in one request."""

    thread_id: str
    run_id: str
    interrupts: Sequence[Interrupt]
    answers: dict[str, Resolution] = field(default_factory=dict)

    @classmethod
    def of(cls, described: Sequence[Mapping[str, Any]], thread_id: str, run_id: str) -> "Pause | None":
        """The pause of a run for the interrupts that are ``described``; none where there are none."""
        return cls(thread_id, run_id, [Interrupt.from_dict(each) for each in described]) if described else None

    @property
    def open(self) -> list[Interrupt]:
        """What is not answered yet."""
        return [interrupt for interrupt in self.interrupts if interrupt.id not in self.answers]

    @property
    def whole(self) -> bool:
        """Whether everything is answered."""
        return not self.open

    def resolutions(self) -> list[Resolution]:
        """The answers, in the order of the questions."""
        return [self.answers[interrupt.id] for interrupt in self.interrupts]

    def resolve(self, interrupts: Sequence[Interrupt], resolver: Resolver) -> None:
        """Answers ``interrupts``: with a bool the approvals among them, with a callable each.

        :raises ClientError: a bool for what is no approval.
        """
        answers = []
        for interrupt in interrupts:
            answer = resolver(interrupt) if callable(resolver) else resolver
            if isinstance(answer, bool):
                if interrupt.kind != "approval":
                    raise ClientError(f"The interrupt {interrupt.id} is not a question of yes or no.")
                answer = interrupt.approve() if answer else interrupt.deny()
            answers.append(answer)
        self.answers |= {answer.interrupt_id: answer for answer in answers}

    def answer_tool(self, call_id: str, output: Any) -> bool:
        """A tool of the client gave ``output``; false when nothing waits for that."""
        for interrupt in self.interrupts:
            if interrupt.kind == "client-tool" and interrupt.tool_call_id == call_id:
                self.answers[interrupt.id] = interrupt.resolve(output)
                return True
        return False

    def answer_approval(self, interrupt_id: str, approved: bool) -> bool:
        """The user said yes or no; false when nothing waits for that."""
        for interrupt in self.interrupts:
            if interrupt.kind == "approval" and interrupt.id == interrupt_id:
                self.answers[interrupt.id] = interrupt.approve() if approved else interrupt.deny()
                return True
        return False
