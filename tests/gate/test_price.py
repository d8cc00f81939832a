"""What tokens cost."""

import pytest

from tokenwire.config.accounts import Price
from tokenwire.events import Usage
from tokenwire.gate.price import OwnTariff, Prices, PublishedTariff
from tokenwire.providers.base import Target
from tokenwire.routing.model import Choice, Model

PRICE = Price(input=2.5, output=10, cached=0.25, cache_write=4)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(), 0),
        (Usage(prompt_tokens=1_000_000), 2_500_000),
        (Usage(completion_tokens=3), 30),
        (Usage(prompt_tokens=100, cached_tokens=40), 160),
        (Usage(prompt_tokens=100, cached_tokens=40, cache_write_tokens=20), 190),
        (Usage(prompt_tokens=1), 3),
        (Usage(prompt_tokens=10, cached_tokens=40), 10),
    ],
)
def test_an_own_price_in_millionths_rounded_up(usage: Usage, cost: int) -> None:
    assert OwnTariff(PRICE).cost(usage) == cost


def test_a_price_without_a_cache_counts_all_tokens_alike() -> None:
    usage = Usage(prompt_tokens=100, cached_tokens=40, cache_write_tokens=20)
    assert OwnTariff(Price(input=1, output=1)).cost(usage) == 100


def test_published_prices() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=0)
    assert PublishedTariff("openai", "gpt-4o").cost(usage) == 2_500_000
    for preset, model in (("openai-responses", "gpt-4o"), ("gemini", "gemini-2.5-pro"), ("xai", "grok-4")):
        cost = PublishedTariff(preset, model).cost(usage)
        assert cost is not None
        assert cost > 0


def test_of_what_nobody_has_published_no_price_is_known() -> None:
    for provider, model in (("openai", "no-such-model"), ("openai-compatible", "gpt-4o")):
        assert PublishedTariff(provider, model).cost(Usage(prompt_tokens=1)) is None


def test_the_operators_price_comes_first_and_the_local_model_costs_nothing() -> None:
    prices = Prices({"fast": PRICE})
    a_million = Usage(prompt_tokens=1_000_000)
    own, published, local = (
        prices.of(*names) for names in (("fast", "openai/gpt-4o"), ("x", "openai/gpt-4o"), ("y", "local/m"))
    )
    assert own is not None
    assert published is not None
    assert local is not None
    assert own.cost(a_million) == 2_500_000
    assert published.cost(a_million) == 2_500_000
    assert local.cost(a_million) == 0
    assert prices.of("agent", None) is None


def test_a_price_is_needed_of_what_the_operator_pays_for() -> None:
    ours = Target(name="m", provider="openai-compatible", model="m", base_url="http://127.0.0.1")
    theirs = Target(name="m", provider="openai-compatible", model="m", base_url="http://127.0.0.1", needs_key=True)
    models = [Model("ours", (Choice(theirs), Choice(ours))), Model("theirs", (Choice(theirs),)), Model("agent", ())]
    assert Prices().unknown(models) == ["ours"]
