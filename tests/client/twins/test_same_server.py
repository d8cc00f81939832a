"""Both clients ask the same tokenwire, and show the same."""

from typing import Any

import pytest

from tokenwire.client import ChatClient, fetch_server_sent_events
from tokenwire.client.messages import Dialect
from tokenwire.testing import Reply, ThreadedUpstream

from ...conftest import Serve
from ...interop.node import Node
from .twin import without_chance

REPLIES = {
    "text": Reply(text=("Hello ", "☃", "\n\n", "bye")),
    "reasoning": Reply(reasoning=("hm", "m"), text=("So.",)),
    "long": Reply(text=tuple(f"word{number} " for number in range(300))),
}


def named_in_order(messages: list[dict[str, Any]]) -> Any:
    """The messages without the ids that the server and the clients made up."""
    nameless = [{**message, "id": str(number)} for number, message in enumerate(messages)]
    for message in nameless:
        for part in message["parts"]:
            part.pop("stepId", None)
    return without_chance(nameless)


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["new", "legacy"])
@pytest.mark.parametrize("name", REPLIES)
async def test_same_server(name: str, dialect: Dialect, serve: Serve, upstream: ThreadedUpstream, twins: Node) -> None:
    upstream.default = REPLIES[name]
    url = serve().url.rstrip("/") + "/api/chat"
    steps = [["send", "hi"], ["send", "and?"], ["reload"]]
    theirs = twins.begin({"generation": dialect, "url": url, "steps": steps}, lambda result: result).result()
    async with ChatClient(fetch_server_sent_events(url), dialect=dialect) as client:
        await client.send_message("hi")
        await client.send_message("and?")
        await client.reload()
        ours = [message.to_dict() for message in client.messages]
        assert client.status == theirs["status"]
    assert named_in_order(ours) == named_in_order(theirs["shown"][-1])
