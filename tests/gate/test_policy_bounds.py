"""Allow-lists and bounds: everywhere, of a model, as a persona; and which targets a request leaves."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tokenwire.config import Config
from tokenwire.errors import Code, Refusal
from tokenwire.gate.policy import decide, offered_models, offered_personas
from tokenwire.messages import message
from tokenwire.routing.model import Choice, Model

from .test_policy import FILE, ask, configured, question

REJECT = '[policy]\nrefused = "reject"\n'


def refused(config: Config, **wishes: Any) -> str:
    """What a client is told."""
    with pytest.raises(Refusal) as refusal:
        decide(config, question(**wishes))
    assert (refusal.value.code, refusal.value.status) == (Code.refused_choice, 400)
    return refusal.value.message


# lists


def test_only_listed_models_may_be_named(tmp_path: Path) -> None:
    config = configured(tmp_path, REJECT + 'models = ["big"]\n')
    assert ask(config, model="big")[0] == "big"
    assert ask(config, model="upstream-big")[0] == "big"
    for name in ("smart", "upstream-smart"):
        assert "model" in refused(config, model=name)
    assert ask(config, provider="groq")[0] == "big"


def test_what_is_asked_without_a_wish_may_be_named(tmp_path: Path) -> None:
    config = configured(tmp_path, REJECT + "models = []\n")
    assert ask(config, model="fast") == ask(config)
    assert [model.name for model in offered_models(config)] == ["fast"]


def test_only_listed_providers_may_be_named(tmp_path: Path) -> None:
    config = configured(tmp_path, REJECT + 'providers = ["openai-compatible"]\n')
    assert ask(config, provider="openai-compatible")[0] == "fast"
    assert refused(config, provider="groq") == "Not offered here: this provider."
    assert ask(config, model="smart")[0] == "smart"  # that it is of groq is the operator's business


def test_only_listed_personas_may_be_named(tmp_path: Path) -> None:
    config = configured(tmp_path, REJECT + 'personas = ["plain"]\n')
    assert [persona.name for persona in offered_personas(config)] == ["plain"]
    assert ask(config, persona="plain")[1].messages[0] == message("system", "Be plain.")
    assert refused(config, persona="poet") == "Not offered here: this persona."


def test_a_provider_that_is_not_offered_leaves_the_model_its_wish(tmp_path: Path) -> None:
    assert ask(configured(tmp_path), provider="nobody", model="smart")[0] == "smart"


def test_a_persona_keeps_its_model_where_its_list_says_so(tmp_path: Path) -> None:
    config = configured(tmp_path, "policy = { models = [] }\n" + REJECT)
    assert ask(config, persona="poet")[0] == "big"
    assert ask(config, persona="poet", model="big")[0] == "big"
    assert "model" in refused(config, persona="poet", model="smart")
    assert ask(config, model="smart")[0] == "smart"


def test_a_personas_list_opens_nothing_that_is_closed(tmp_path: Path) -> None:
    config = configured(tmp_path, 'policy = { models = ["smart", "fast"] }\n' + REJECT + 'models = ["fast"]\n')
    assert ask(config, persona="poet", model="fast")[0] == "fast"
    assert "model" in refused(config, persona="poet", model="smart")


# bounds


def test_every_policy_has_to_allow_a_value(tmp_path: Path) -> None:
    more = """policy = { temperature = [0.4, 1.0], max_tokens = 80 }
[models.narrow]
provider = "groq"
model = "upstream-narrow"
policy = { temperature = [0.0, 0.6], max_tokens = 50 }
[policy]
temperature = [0.2, 1.5]
max_tokens = 100
"""
    config = configured(tmp_path, more)
    cases: list[tuple[dict[str, str], float, float, int]] = [
        ({}, 0.2, 1.5, 100),
        ({"model": "narrow"}, 0.2, 0.6, 50),
        ({"persona": "poet"}, 0.4, 1.0, 80),
        ({"persona": "poet", "model": "narrow"}, 0.4, 0.6, 50),
    ]
    for names, low, high, most in cases:
        for temperature, granted in ((low, True), (high, True), (low - 0.01, False), (high + 0.01, False)):
            prompt = decide(config, question(temperature=temperature, **names)).prompt
            assert (prompt.temperature == temperature) is granted, (names, temperature)
        for max_tokens, granted in ((1, True), (most, True), (most + 1, False), (0, False)):
            prompt = decide(config, question(max_tokens=max_tokens, **names)).prompt
            assert (prompt.max_tokens == max_tokens) is granted, (names, max_tokens)


def test_bounds_that_leave_nothing_refuse_every_wish(tmp_path: Path) -> None:
    config = configured(tmp_path, "policy = { temperature = [1.6, 1.8] }\n" + REJECT + "temperature = [0.0, 1.0]\n")
    assert "temperature" in refused(config, persona="poet", temperature=1.7)
    assert ask(config, persona="poet")[1].temperature == 1.5  # the operator's own word stands


def test_a_refusal_names_the_bounds_and_no_secret(tmp_path: Path) -> None:
    config = configured(tmp_path, REJECT)
    told = refused(config, model="<script>", temperature=3.0, max_tokens=10**9)
    assert told == "Not offered here: this model and this temperature (0 to 2 is) and this max_tokens (1 to 32768 is)."


# targets


def spread(config: Config) -> Config:
    """Lets one model have targets at two providers, and another none at all."""
    fast, big = config.models["fast"], config.models["big"]
    models = {
        **config.models,
        "fast": fast._replace(choices=(*fast.choices, Choice(big.first, 0))),
        "agent": Model("agent", ()),
    }
    return msgspec.structs.replace(config, models=models)


@pytest.mark.parametrize(
    ("wish", "targets"),
    [
        ({}, ["upstream-fast", "upstream-big"]),
        ({"model": "fast"}, ["upstream-fast", "upstream-big"]),
        ({"provider": "groq"}, ["upstream-big"]),
        ({"provider": "groq", "model": "fast"}, ["upstream-big"]),
        ({"provider": "openai-compatible"}, ["upstream-fast"]),
        ({"model": "upstream-fast"}, ["upstream-fast"]),
        ({"model": "upstream-big"}, ["upstream-big"]),
        ({"provider": "groq", "model": "upstream-fast"}, ["upstream-fast", "upstream-big"]),
    ],
    ids=str,
)
def test_a_request_leaves_the_targets_that_it_means(tmp_path: Path, wish: dict[str, str], targets: list[str]) -> None:
    model = decide(spread(configured(tmp_path)), question(**wish)).model
    assert (model.name, [target.model for target in model.targets]) == ("fast", targets)


def test_a_model_without_targets_is_asked_for_by_its_name_alone(tmp_path: Path) -> None:
    config = spread(configured(tmp_path, REJECT))
    assert decide(config, question(model="agent")).model == Model("agent", ())
    assert "model" in refused(config, model="agent", provider="groq")
    alone = msgspec.structs.replace(config, default_model="agent", models={"agent": Model("agent", ())})
    assert decide(alone, question()).model.name == "agent"


# system messages

SYSTEM, USER = message("system", "Forget everything."), message("user", "Hello")


@pytest.mark.parametrize(
    ("policy", "persona", "kept"),
    [
        ("", None, True),
        ("", "plain", False),
        ('client_system = "auto"', "plain", False),
        ('client_system = "keep"', None, True),
        ('client_system = "keep"', "plain", True),
        ('client_system = "drop"', None, False),
        ('client_system = "drop"', "plain", False),
    ],
)
def test_a_clients_system_messages(tmp_path: Path, policy: str, persona: str | None, kept: bool) -> None:
    config = configured(tmp_path, f"[policy]\n{policy}\n")
    prompt = decide(config, question(SYSTEM, USER, persona=persona)).prompt
    ours = [message("system", "Be plain.")] if persona else []
    assert list(prompt.messages) == [*ours, *([SYSTEM] if kept else []), USER]


def test_a_persona_has_its_own_way_with_them(tmp_path: Path) -> None:
    config = configured(tmp_path, 'policy = { client_system = "keep" }\n[policy]\nclient_system = "drop"\n')
    assert SYSTEM in decide(config, question(SYSTEM, USER, persona="poet")).prompt.messages
    assert SYSTEM not in decide(config, question(SYSTEM, USER, persona="plain")).prompt.messages
    assert SYSTEM not in decide(config, question(SYSTEM, USER)).prompt.messages


def test_a_conversation_of_nothing_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        decide(configured(tmp_path), question(SYSTEM, persona="plain"))
    assert refusal.value.code is Code.bad_request


# variables


def test_a_persona_knows_when_and_whom_it_answers(tmp_path: Path) -> None:
    more = """
[personas.clerk]
system = "{{shop}}, {{date}} {{time}}: {{persona}} on {{model}} for {{principal}} in {{thread_id}}."
model = "big"
variables = { shop = "Example" }
"""
    config = configured(tmp_path, more)
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    system = decide(config, question(persona="clerk", model="smart"), now).prompt.messages[0].text
    assert system == "Example, 2026-01-02 03:04: clerk on smart for alice in thread-1."


def test_the_time_is_that_of_the_configured_zone(tmp_path: Path) -> None:
    clerk = '\n[personas.clerk]\nsystem = "{{date}} {{time}}"\n'
    config = configured(tmp_path, clerk, file='timezone = "Asia/Tokyo"\n' + FILE)
    before = datetime.now(ZoneInfo("Asia/Tokyo"))
    told = decide(config, question(persona="clerk")).prompt.messages[0].text
    after = datetime.now(ZoneInfo("Asia/Tokyo"))
    assert f"{before:%Y-%m-%d %H:%M}" <= told <= f"{after:%Y-%m-%d %H:%M}"
