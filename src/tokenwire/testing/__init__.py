"""What a test of a chat backend needs, for this project's own tests and for everybody's.

>>> async with ScriptedUpstream() as upstream:
...     upstream.say("Hel", "lo", hold=True)
...     answer = start_the_code_under_test(upstream.base_url)
...     request = await upstream.received()
...     await request.step()  # "Hel" is on the wire, "lo" is not

`ScriptedUpstream.in_thread()` is the same for tests without a loop, `python -m tokenwire.testing upstream`
for a shell.

A `ChaosProxy` between any two parts breaks their connections, and an `Oracle` says whether readers still saw what the
model said:

>>> async with ChaosProxy(server_url, [Cut(after=700, ending="reset")]) as proxy:
...     reading = Reading(text=await read_the_answer(proxy.url), terminals=[""])
>>> assert Oracle("Hello").judge([reading]) == []
"""

from .chaos import ChaosProxy
from .fault import Cut, Fault, Plan, Refuse, Stall
from .oracle import Finding, Oracle, Reading, Wrong
from .received import Received
from .reply import ONE_WRITE, Reply
from .threaded import ThreadedReceived, ThreadedUpstream
from .threaded_chaos import ThreadedChaosProxy
from .tool_call import ToolCall
from .tunnel import Traffic
from .upstream import ScriptedUpstream

__all__ = [
    "ONE_WRITE",
    "ChaosProxy",
    "Cut",
    "Fault",
    "Finding",
    "Oracle",
    "Plan",
    "Reading",
    "Received",
    "Refuse",
    "Reply",
    "ScriptedUpstream",
    "Stall",
    "ThreadedChaosProxy",
    "ThreadedReceived",
    "ThreadedUpstream",
    "ToolCall",
    "Traffic",
    "Wrong",
]
