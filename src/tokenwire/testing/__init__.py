"""What a test of a chat backend needs, for this project's own tests and for everybody's.

>>> async with ScriptedUpstream() as upstream:
...     upstream.say("Hel", "lo", hold=True)
...     answer = start_the_code_under_test(upstream.base_url)
...     request = await upstream.received()
...     await request.step()  # "Hel" is on the wire, "lo" is not

`ScriptedUpstream.in_thread()` is the same for tests without a loop, `python -m tokenwire.testing upstream`
for a shell.
"""

from .received import Received
from .reply import ONE_WRITE, Reply
from .threaded import ThreadedReceived, ThreadedUpstream
from .upstream import ScriptedUpstream

__all__ = ["ONE_WRITE", "Received", "Reply", "ScriptedUpstream", "ThreadedReceived", "ThreadedUpstream"]
