"""Logs of whole runs: recorded ones, and any that a run may write."""

from pathlib import Path

from hypothesis import strategies as st

from tokenwire import events

KEY = "0123456789abcdefABCD"
"""The key of every log here."""

GOLDEN = Path(__file__).parent.parent / "golden" / "runs"
RUNS = sorted(path.name for path in GOLDEN.iterdir())

_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(['"', "\\", "\n", "\r", "\u2028", " ", "}"]), min_size=1
) | st.sampled_from([',"delta":"', '"}\n\ndata: {"type":"RUN_FINISHED"}', "id: 1", "[DONE]", "\n\n", " ", "\u0085"])
_DELTAS = st.lists(_TEXTS, max_size=3)
_SIGNATURES = st.none() | _TEXTS
_FAILED = st.builds(events.RunError, _TEXTS, st.just("upstream_truncated"), st.just("thread-1"), st.just("run-1"))
_FINISHED = st.builds(
    events.RunFinished,
    st.just("thread-1"),
    st.just("run-1"),
    st.sampled_from(["stop", "length", "content_filter", "tool_calls", "cancelled"]),
    st.none() | st.just("smart"),
    st.none() | st.just(events.Usage(3, 5, 8)),
)


def recorded(run: str) -> list[bytes]:
    """The log of a golden run."""
    return (GOLDEN / run / "log.ndjson").read_bytes().removesuffix(b"\n").split(b"\n")


@st.composite
def logs(draw: st.DrawFn) -> list[bytes]:
    """The log of a run: messages of reasoning, text or tool calls, and an end of any kind."""
    happened: list[events.Event] = [events.RunStarted("thread-1", "run-1")]
    closing: list[events.Event] = []
    for number in range(draw(st.integers(0, 3))):
        message, span = f"message-{number}", f"reasoning-{number}"
        happened += [*closing, events.TextMessageStart(message, "assistant")]
        closing = [events.TextMessageEnd(message)]
        thoughts, signature, deltas = draw(_DELTAS), draw(_SIGNATURES), draw(_DELTAS)
        if thoughts or signature:
            happened.append(events.ReasoningStart(span))
            closing = [events.ReasoningEnd(span), *closing]
        if thoughts:
            happened.append(events.ReasoningMessageStart(span, "reasoning"))
            happened += [events.ReasoningMessageContent(span, delta) for delta in thoughts]
            closing = [events.ReasoningMessageEnd(span), *closing]
        if signature:
            happened += [event for event in closing if isinstance(event, events.ReasoningMessageEnd)]
            happened.append(events.ReasoningEncryptedValue("message", span, signature))
            closing = closing[-2:]
        speech = draw(st.sampled_from(["nothing", "text", "calls"]))
        if speech != "nothing":
            happened += closing[:-1]
            closing = closing[-1:]
        if speech == "text":
            happened += [events.TextMessageContent(message, delta) for delta in deltas]
        if speech == "calls":
            happened += draw(_calls(message))
    if draw(st.booleans()):
        happened += closing
        happened.append(draw(_FINISHED))
    else:
        happened.append(draw(_FAILED))
    return [events.encode(event) for event in happened]


@st.composite
def _calls(draw: st.DrawFn, message: str) -> list[events.Event]:
    """Tool calls of a message, side by side, and what some of them gave."""
    calls = [f"{message}-call-{number}" for number in range(draw(st.integers(1, 2)))]
    happened: list[events.Event] = []
    for call in calls:
        happened.append(events.ToolCallStart(call, draw(_TEXTS), message))
        if signature := draw(_SIGNATURES):
            happened.append(events.ReasoningEncryptedValue("tool-call", call, signature))
    arguments = st.builds(events.ToolCallArgs, st.sampled_from(calls), _TEXTS)
    happened += draw(st.lists(arguments, max_size=4))
    happened += [events.ToolCallEnd(call) for call in calls]
    for call in calls[: draw(st.integers(0, 2))]:
        happened.append(events.ToolCallResult(f"{call}-result", call, draw(_TEXTS)))
        happened.append(events.Custom("progress", draw(st.none() | st.dictionaries(_TEXTS, _TEXTS, max_size=2))))
    return happened
