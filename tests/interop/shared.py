"""One server, with a scripted model behind it, for many tests."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tokenwire.testing import ScriptedUpstream, ThreadedUpstream

from ..server import served

CONFIG = """
model = "small"

[models.small]
provider = "openai-compatible"
base_url = "{base_url}"
model = "upstream-of-small"
retries = 0

[models."gpt-4o"]
provider = "openai"
base_url = "{base_url}"
model = "upstream-of-gpt-4o"
retries = 0
key_env = ""

[models.theirs]
provider = "groq"
base_url = "{base_url}"
model = "upstream-of-theirs"
retries = 0

[byok]
providers = ["groq"]

[personas.support-agent]
system = "You help people."

[policy]
refused = "reject"

[runs]
breaker_seconds = 0

[cors]
origins = ["{origin}"]

[disconnect]
tanstack = "grace({grace})"
tanstack_legacy = "grace(0.1)"
rais = "grace(0.1)"
"""


class SharedServer:
    """A running tokenwire.

    :param origin: the one that is allowed beside the server's own.
    :param grace: seconds until a client that resumes is given up.
    """

    upstream: ThreadedUpstream
    url: str

    def __init__(self, folder: Path, *, origin: str, grace: int) -> None:
        self._folder = folder
        self._origin = origin
        self._grace = grace

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.upstream = stack.enter_context(ScriptedUpstream.in_thread())
            config = self._folder / "tokenwire.toml"
            settings = {"base_url": self.upstream.base_url, "origin": self._origin, "grace": self._grace}
            config.write_text(CONFIG.format(**settings))
            self.url = stack.enter_context(served(self._folder / "server.log", "--config", config)).url
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def restart(self) -> None:
        """A new server and a new model, at new addresses."""
        self.__exit__()
        self.__enter__()
