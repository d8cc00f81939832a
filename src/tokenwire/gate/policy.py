"""What of a request's wishes is granted. Everything a client sends beside its messages passes through here."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ..config import Config, Persona
from ..config.policy import Bounds, ModelPolicy
from ..errors import Code, Refusal
from ..messages import Message, message
from ..providers.base import Prompt
from ..routing.model import Model
from .question import Question
from .system_prompt import SystemPrompt, values

logger = logging.getLogger("tokenwire.gate")

_NOBODY = Persona(name="", system=SystemPrompt(()))
_UNBOUND = ModelPolicy()


class Grant(NamedTuple):
    """What will be asked, and of whom."""

    model: Model
    """With the targets only that the request left."""
    prompt: Prompt


def decide(config: Config, question: Question, now: datetime | None = None) -> Grant:
    """The grant for a question.

    A wish outside of what the operator offers is ignored, or with ``policy.refused = "reject"`` refused
    (:class:`Refusal`, ``refused_choice``). The rest comes from the persona, or is left to the model's own targets.
    The policy bounds wishes alone: what the operator has configured stands.

    Raises :class:`Refusal` where the policy leaves nothing of the conversation (``bad_request``), or no model
    (``refused_choice``).
    """
    wishes, refused = question.options, list[str]()
    persona = _NOBODY
    if wishes.persona is not None:
        persona = next((one for one in offered_personas(config) if one.name == wishes.persona), _NOBODY)
        if persona is _NOBODY:
            refused.append("persona")
    model = _model(config, persona, question, refused)
    bounds = (config.policy, config.model_policies.get(model.name, _UNBOUND), persona.policy)
    temperature = _temperature(wishes.temperature, bounds, refused)
    max_tokens = _max_tokens(wishes.max_tokens, bounds, refused)
    prompt = Prompt(
        messages=_conversation(config, persona, model, question, now),
        temperature=persona.temperature if temperature is None else temperature,
        max_tokens=persona.max_tokens if max_tokens is None else max_tokens,
    )
    if refused:
        if config.policy.refused == "reject":
            raise Refusal(Code.refused_choice, f"Not offered here: this {' and this '.join(refused)}.")
        logger.info("ignored, because not offered: %s", ", ".join(refused))
    return Grant(model, prompt)


def offered_personas(config: Config) -> list[Persona]:
    """The personas that a request may name."""
    return [persona for name, persona in config.personas.items() if _is_listed(name, config.policy.personas)]


def offered_models(config: Config, persona: Persona = _NOBODY) -> list[Model]:
    """The models that a request may name, the one that is asked without a wish first."""
    own = persona.model or config.default_model
    lists = [names for names in (config.policy.models, persona.policy.models) if names is not None]
    offered = [model for name, model in config.models.items() if name == own or all(name in names for names in lists)]
    offered.sort(key=lambda model: model.name != own)
    return offered


def _model(config: Config, persona: Persona, question: Question, refused: list[str]) -> Model:
    """The configured model that a request means: by our name, by the upstream's, or any of a provider's."""
    name, provider = question.options.model, question.options.provider
    models = offered_models(config, persona)
    if provider is not None and not (
        _is_listed(provider, config.policy.providers)
        and any(target.provider == provider for model in models for target in model.targets)
    ):
        refused.append("provider")
        provider = None
    ours = (_narrowed(model, provider, None) for model in models if name in (None, model.name))
    upstreams = (_narrowed(model, provider, name) for model in models)
    for meant in (*ours, *upstreams):
        if meant is not None:
            return meant
    if not models:
        raise Refusal(Code.refused_choice)
    refused.append("model")
    return models[0]


def _narrowed(model: Model, provider: str | None, upstream: str | None) -> Model | None:
    """The model with the targets of a provider, or of an upstream's name, alone; ``None`` where it has none of them."""
    if provider is None and upstream is None:
        return model
    choices = tuple(
        choice
        for choice in model.choices
        if provider in (None, choice.target.provider) and upstream in (None, choice.target.model)
    )
    return model._replace(choices=choices) if choices else None


def _temperature(asked: float | None, policies: Iterable[Bounds], refused: list[str]) -> float | None:
    if asked is None:
        return None
    ranges = [policy.temperature for policy in policies if policy.temperature is not None]
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    if low <= asked <= high:
        return asked
    refused.append(f"temperature ({low:g} to {high:g} is)")
    return None


def _max_tokens(asked: int | None, policies: Iterable[Bounds], refused: list[str]) -> int | None:
    if asked is None:
        return None
    most = min(policy.max_tokens for policy in policies if policy.max_tokens is not None)
    if 1 <= asked <= most:
        return asked
    refused.append(f"max_tokens (1 to {most} is)")
    return None


def _conversation(
    config: Config, persona: Persona, model: Model, question: Question, now: datetime | None
) -> tuple[Message, ...]:
    """The client's messages, behind the operator's system prompt."""
    client_system = persona.policy.client_system or config.policy.client_system
    kept = question.messages
    if client_system == "drop" or (client_system == "auto" and persona.system):
        kept = tuple(row for row in kept if row.role != "system")
    if not kept:
        raise Refusal(Code.bad_request, "The request has no messages that are not for the system.")
    if not persona.system:
        return kept
    run = question.run
    now = now or datetime.now(config.timezone)
    facts = values(now, persona=persona.name, model=model.name, thread_id=run.thread_id, principal=run.principal)
    return (message("system", persona.system.render(facts)), *kept)


def _is_listed(name: str, names: Iterable[str] | None) -> bool:
    return names is None or name in names
