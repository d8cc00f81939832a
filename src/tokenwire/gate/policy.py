"""What of a request's wishes is granted. Everything a client sends beside its messages passes through here."""

import logging
from typing import NamedTuple, TypeVar

from ..config import Config, Persona
from ..errors import Code, Refusal
from ..messages import Message, message
from ..providers.base import Prompt
from ..routing.model import Model
from ..wire.request import ChatRequest, Options

logger = logging.getLogger("tokenwire.gate")

_NOBODY = Persona(system="")

_Number = TypeVar("_Number", int, float)


class Grant(NamedTuple):
    """What will be asked, and of whom."""

    model: Model
    prompt: Prompt


def decide(config: Config, request: ChatRequest) -> Grant:
    """The grant for a request.

    A wish outside of what the operator offers is ignored, or with ``policy.refused = "reject"`` refused
    (:class:`Refusal`, ``refused_choice``). The rest comes from the persona, or is left to the model's own targets.

    A client's system messages are kept only where the operator has no system prompt of their own.
    """
    options = _allowed(config, request.options)
    persona = config.personas[options.persona] if options.persona is not None else _NOBODY
    model = config.models[options.model or persona.model or config.default_model]
    prompt = Prompt(
        messages=_with_system(persona, request.messages),
        temperature=_first(options.temperature, persona.temperature),
        max_tokens=_first(options.max_tokens, persona.max_tokens),
    )
    return Grant(model, prompt)


def _allowed(config: Config, asked: Options) -> Options:
    refused: list[str] = []
    persona, temperature, max_tokens = asked.persona, asked.temperature, asked.max_tokens
    if persona is not None and persona not in config.personas:
        refused.append("persona")
        persona = None
    model = _model(config, asked.model, asked.provider)
    if model is None and (asked.model is not None or asked.provider is not None):
        refused.append("provider" if asked.model is None else "model")
    low, high = config.policy.temperature
    if temperature is not None and not low <= temperature <= high:
        refused.append("temperature")
        temperature = None
    if max_tokens is not None and not 1 <= max_tokens <= config.policy.max_tokens:
        refused.append("max_tokens")
        max_tokens = None
    if refused:
        if config.policy.refused == "reject":
            raise Refusal(Code.refused_choice, f"Not offered here: this {' and this '.join(refused)}.")
        logger.info("ignored, because not offered: %s", ", ".join(refused))
    return Options(persona, model, None, temperature, max_tokens)


def _model(config: Config, name: str | None, provider: str | None) -> str | None:
    """The configured model that a request means: by our name, by the upstream's, or any of a provider's."""
    if name is None and provider is None:
        return None
    offered = [
        (model.name, target.model)
        for model in config.models.values()
        for target in model.targets
        if provider in (None, target.provider)
    ]
    # the default model first, where it is one of several
    offered.sort(key=lambda names: names[0] != config.default_model)
    ours = [own for own, _ in offered if name in (None, own)]
    upstreams = [own for own, upstream in offered if name == upstream]
    return next(iter(ours + upstreams), None)


def _with_system(persona: Persona, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if not persona.system:
        return messages
    return (message("system", persona.system), *(row for row in messages if row.role != "system"))


def _first(*values: _Number | None) -> _Number | None:
    return next((value for value in values if value is not None), None)
