"""What of the configuration is there for a principal."""

from pathlib import Path

import pytest

from tokenwire.config import Config
from tokenwire.errors import Refusal
from tokenwire.gate.offer import offered_to
from tokenwire.gate.policy import decide, offered_models, offered_personas
from tokenwire.gate.principal import Scopes

from .test_policy import configured, question


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path)


def names(config: Config, scopes: Scopes) -> tuple[list[str], list[str]]:
    offered = offered_to(config, scopes)
    return [model.name for model in offered_models(offered)], [one.name for one in offered_personas(offered)]


@pytest.mark.parametrize(
    ("scopes", "offered"),
    [
        (Scopes(), (["fast", "smart", "big"], ["plain", "poet"])),
        (Scopes(models=("smart", "fast")), (["fast", "smart"], ["plain", "poet"])),
        (Scopes(models=("smart", "big")), (["smart", "big"], ["plain", "poet"])),
        (Scopes(models=("unknown", "big")), (["big"], ["plain", "poet"])),
        (Scopes(models=()), ([], ["plain", "poet"])),
        (Scopes(personas=("poet",)), (["fast", "smart", "big"], ["poet"])),
        (Scopes(personas=()), (["fast", "smart", "big"], [])),
    ],
)
def test_what_is_offered(config: Config, scopes: Scopes, offered: tuple[list[str], list[str]]) -> None:
    assert names(config, scopes) == offered


def test_no_wish_and_no_persona_leads_out_of_the_scopes(config: Config) -> None:
    offered = offered_to(config, Scopes(models=("smart",)))
    for wishes in ({}, {"model": "fast"}, {"model": "upstream-fast"}, {"persona": "poet"}, {"provider": "groq"}):
        assert decide(offered, question(**wishes)).model.name == "smart"
    assert decide(offered_to(config, Scopes(personas=())), question(persona="poet")).model.name == "fast"


def test_a_persona_whose_model_is_out_of_the_scopes_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path, '[personas.odist]\nsystem = "Praise."\nmodel = "big"\npolicy.models = ["big"]\n')
    with pytest.raises(Refusal, match="refused_choice"):
        decide(offered_to(config, Scopes(models=("smart",))), question(persona="odist"))
