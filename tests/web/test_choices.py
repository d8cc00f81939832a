"""Which models and personas the page offers, and what it says of them."""

from __future__ import annotations

from typing import Any

import pytest

from tokenwire.testing import ThreadedUpstream

from ..conftest import Serve
from .browser import Page

OFFER = """async (offer) => {
    const {Choices} = await import(new URL("web/choices.js", document.baseURI));
    const network = globalThis.fetch;
    globalThis.fetch = async () => new Response(JSON.stringify(offer.answer), {status: offer.status ?? 200});
    try {
        const pickers = Object.fromEntries(["model", "persona"].map((name) => {
            const label = document.createElement("label");
            label.hidden = true;
            const picker = document.createElement("select");
            label.append(picker);
            return [name, picker];
        }));
        const choices = new Choices(pickers, () => {});
        await choices.load();
        for (const [name, value] of Object.entries(offer.choose ?? {})) pickers[name].value = value;
        return {
            models: [...pickers.model.options].map((option) => option.textContent),
            personas: [...pickers.persona.options].map((option) => option.textContent),
            shown: [!pickers.model.parentElement.hidden, !pickers.persona.parentElement.hidden],
            forwarded: choices.forwarded,
            greeting: choices.greeting,
            description: choices.description,
            trouble: choices.trouble,
        };
    } finally {
        globalThis.fetch = network;
    }
}"""

MODELS = [
    {"name": "fast", "description": "Quick answers", "status": "ok", "targets": [{"provider": "x", "status": "ok"}]},
    {"name": "large", "description": "", "status": "degraded"},
    {"name": "<b>old</b>", "status": "down"},
    {"name": "support", "description": "An agent", "greeting": "You called?"},
]
PERSONAS = [{"name": "pirate", "description": "Talks like one", "greeting": "Ahoy!"}]

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "small-1"
description = "A small one"

[models.hidden]
provider = "openai-compatible"
base_url = "{upstream}"
model = "large-9"

[personas.pirate]
system = "You are a pirate."
description = "Talks like one"
greeting = "Ahoy! What be on yer mind?"

[personas.secret]
system = "You are nobody."

[policy]
models = []
personas = ["pirate"]
"""


def offered(modules: Page, answer: Any, choose: dict[str, str] | None = None, *, status: int = 200) -> dict[str, Any]:
    return dict(modules.call(OFFER, {"answer": answer, "status": status, "choose": choose or {}}))


def test_models_and_personas_are_listed_with_a_mark_where_one_is_not_well(modules: Page) -> None:
    seen = offered(modules, {"default": "large", "models": MODELS, "personas": PERSONAS})
    assert seen["models"] == [
        "Default (large \u26a0 degraded)",
        "fast",
        "large \u26a0 degraded",
        "<b>old</b> \u26a0 down",
        "support",
    ]
    assert seen["personas"] == ["No persona", "pirate"]
    assert seen["shown"] == [True, True]
    assert (seen["forwarded"], seen["greeting"]) == ({}, "")
    assert seen["trouble"] == "large is having trouble."


@pytest.mark.parametrize(
    ("choose", "greeting", "description", "trouble"),
    [
        ({}, "", "Quick answers", ""),
        ({"model": "<b>old</b>"}, "", "", "<b>old</b> does not answer at the moment."),
        ({"model": "support"}, "You called?", "An agent", ""),
        ({"persona": "pirate"}, "Ahoy!", "Talks like one", ""),
        ({"persona": "pirate", "model": "large"}, "Ahoy!", "Talks like one", "large is having trouble."),
        ({"persona": "pirate", "model": "fast"}, "Ahoy!", "Talks like one · Quick answers", ""),
    ],
    ids=str,
)
def test_the_choice_is_described(
    modules: Page, choose: dict[str, str], greeting: str, description: str, trouble: str
) -> None:
    seen = offered(modules, {"default": "fast", "models": MODELS, "personas": PERSONAS}, choose)
    assert (seen["greeting"], seen["description"], seen["trouble"]) == (greeting, description, trouble)
    assert seen["forwarded"] == choose


@pytest.mark.parametrize(
    "answer", [{"default": "fast", "models": MODELS[:1]}, {"default": "", "models": []}, {}, None], ids=str
)
def test_where_there_is_nothing_to_choose_nothing_is_shown(modules: Page, answer: Any) -> None:
    seen = offered(modules, answer)
    assert (seen["shown"], seen["forwarded"], seen["trouble"]) == ([False, False], {}, "")


def test_a_server_that_says_nothing_of_its_models_offers_no_choice(modules: Page) -> None:
    assert offered(modules, {"error": {}}, status=401)["shown"] == [False, False]


def test_the_page_offers_what_the_policy_does(page: Page, upstream: ThreadedUpstream, serve: Serve) -> None:
    page.goto(serve(CONFIG).url)
    page.see("#persona")
    page.see("#model", "hidden")
    page.until_text("#description", "A small one")
    assert page.texts("#persona option") == ["No persona", "pirate"]
    page.do("selectOption", "pirate", selector="#persona")
    page.until_text("#greeting", "Ahoy! What be on yer mind?")
    page.until_text("#description", "Talks like one")
    page.see("#trouble", "hidden")
    page.ask("Hi")
    page.see("[data-status=finished]")
    assert upstream.requests[0].body["messages"][0] == {"role": "system", "content": "You are a pirate."}
    assert page.complaints() == []


def test_what_is_wrong_with_the_model_is_seen(page: Page, serve: Serve) -> None:
    page.goto(serve(CONFIG).url)
    page.until_text("#description", "A small one")
    page.evaluate(
        """(() => {
            const network = globalThis.fetch;
            globalThis.fetch = async (...asked) => {
                const answer = await network(...asked);
                if (!String(asked[0]).endsWith("models")) return answer;
                const offer = await answer.json();
                offer.models[0].status = "down";
                return Response.json(offer);
            };
        })()"""
    )
    page.click("#new-chat")
    page.until_text("#trouble", "small does not answer at the moment.")
    page.screenshot("trouble")
