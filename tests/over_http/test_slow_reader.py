"""A reader that does not read: the model has to wait, and nobody else is hurt."""

from tokenwire.testing import Reply, ThreadedUpstream

from ..conftest import Serve
from .client import ask, get
from .wires import TANSTACK

CONFIG = """
[models.m]
provider = "openai-compatible"
base_url = "{upstream}"
model = "m"

[limits]
ahead_bytes = 1_000_000
"""
PIECES = 1500


def test_the_model_waits_for_a_reader_that_does_not_read(serve: Serve, upstream: ThreadedUpstream) -> None:
    url = serve(CONFIG).url
    pieces = [f"{number} {'x' * 20_000}" for number in range(PIECES)]
    upstream.reply(Reply(text=pieces))
    with ask(url, "/api/chat", TANSTACK.body(run_id="slow"), receive_buffer=4096) as slow:
        request = upstream.received()
        for number in range(100):  # long enough for all of it, if nothing held the model back
            upstream.say("quick")
            assert TANSTACK.text(ask(url, "/api/chat", TANSTACK.body(run_id=f"quick-{number}")).read()) == "quick"
        assert request.sent < PIECES // 2
        assert TANSTACK.text(slow.read()) == "".join(pieces)
    assert TANSTACK.finished(get(url, "/api/chat?offset=-1&runId=slow").read())
