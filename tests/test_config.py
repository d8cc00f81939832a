"""The configuration: what every key does, and a line for every mistake."""

from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tokenwire.config import Config, Limits, Persona, PersonaPolicy, Policy, Runs, load
from tokenwire.errors import ConfigError
from tokenwire.gate.system_prompt import SystemPrompt, Variable
from tokenwire.providers.base import Target, Timeouts
from tokenwire.providers.presets import PRESETS

KEY = "sk-canary-4f1d9c0a7be25d83"

MODEL = """
[models.small]
provider = "openai-compatible"
base_url = "http://model.example/v1"
model = "upstream-of-small"
"""

EVERYTHING = """
model = "fast"
store = "sqlite:///runs.db"
timezone = "Asia/Tokyo"

[models.fast]
provider = "groq"
model = "llama"
base_url = "https://groq.example/v1/"
key_env = "MY_KEY"
temperature = 0.5
max_tokens = 100
description = "Quick."

[models.near]
provider = "local"

[models.plain]
provider = "ollama"
model = "qwen3"

[personas.support-agent]
system = "You help people."
model = "near"
temperature = 0.3
max_tokens = 50
description = "Helps."
greeting = "What is it?"

[personas.support-agent.variables]
shop = "Example"

[personas.support-agent.policy]
models = ["fast"]
temperature = [0.2, 0.4]
max_tokens = 60
client_system = "keep"

[personas.filed]
system_file = "filed.md"

[cors]
origins = ["https://app.example", "http://10.0.0.7:3000"]

[limits]
body_bytes = 1
body_seconds = 2.5
messages = 3
runs = 4
run_bytes = 5
ahead_bytes = 6
readers = 7

[runs]
keep_seconds = 6.5
keep_bytes = 7
heartbeat_seconds = 8
connect_seconds = 9.5
silence_seconds = 10
answer_seconds = 100
retry_seconds = 13.5
breaker_seconds = 0
lease_seconds = 11
store_seconds = 12
drain_seconds = 0

[policy]
refused = "reject"
temperature = [0.1, 1.1]
max_tokens = 12
models = ["near"]
providers = ["groq"]
personas = ["filed"]
client_system = "drop"

[disconnect]
rais = "cancel"
tanstack = "continue"
tanstack_legacy = "grace(2.5)"

[disconnect.routes]
"/api/chat/ws" = "grace(7)"
"""


def read(folder: Path, text: str, environ: dict[str, str] | None = None, model: str | None = None) -> Config:
    path = folder / "tokenwire.toml"
    path.write_text(text)
    return load(path, environ or {}, model)


def mistake(folder: Path, text: str, environ: dict[str, str] | None = None, model: str | None = None) -> str:
    """What the operator is told."""
    with pytest.raises(ConfigError) as wrong:
        read(folder, text, environ, model)
    line = str(wrong.value)
    assert "\n" not in line
    assert line.isprintable()
    return line


def test_every_key_does_something(tmp_path: Path) -> None:
    (tmp_path / "filed.md").write_text("\ufeffBe brief,\n{{model}}.\n")
    config = read(tmp_path, EVERYTHING, {"MY_KEY": KEY})
    assert config.default_model == "fast"
    fast, near, plain = (config.models[name].first for name in ("fast", "near", "plain"))
    assert fast.key is not None
    assert fast.key.reveal() == KEY
    assert msgspec.structs.replace(fast, key=None) == Target(
        name="fast",
        provider="groq",
        model="llama",
        base_url="https://groq.example/v1",
        quirks=PRESETS["groq"].quirks,
        temperature=0.5,
        max_tokens=100,
    )
    assert (near.provider, near.model) == ("local", "smollm2")
    assert (plain.base_url, plain.model, plain.key) == ("http://127.0.0.1:11434", "qwen3", None)
    assert {model.name: model.description for model in config.models.values()} == {
        "fast": "Quick.",
        "near": "",
        "plain": "",
    }
    assert config.personas == {
        "support-agent": Persona(
            name="support-agent",
            system=SystemPrompt(("You help people.",)),
            model="near",
            temperature=0.3,
            max_tokens=50,
            description="Helps.",
            greeting="What is it?",
            policy=PersonaPolicy(models=("fast",), temperature=(0.2, 0.4), max_tokens=60, client_system="keep"),
        ),
        "filed": Persona(name="filed", system=SystemPrompt(("Be brief,\n", Variable.model, "."))),
    }
    assert config.timezone == ZoneInfo("Asia/Tokyo")
    assert config.origins == ("https://app.example", "http://10.0.0.7:3000")
    assert config.limits == Limits(
        body_bytes=1, body_seconds=2.5, messages=3, runs=4, run_bytes=5, ahead_bytes=6, readers=7
    )
    assert config.runs == Runs(
        keep_seconds=6.5,
        keep_bytes=7,
        heartbeat_seconds=8.0,
        connect_seconds=9.5,
        silence_seconds=10.0,
        answer_seconds=100.0,
        retry_seconds=13.5,
        breaker_seconds=0.0,
        lease_seconds=11.0,
        store_seconds=12.0,
        drain_seconds=0.0,
    )
    assert config.policy == Policy(
        refused="reject",
        temperature=(0.1, 1.1),
        max_tokens=12,
        models=("near",),
        providers=("groq",),
        personas=("filed",),
        client_system="drop",
    )
    graces = [config.disconnect.grace(wire, "/api/chat") for wire in ("rais", "tanstack", "tanstack-legacy")]
    assert graces == [0.0, None, 2.5]
    assert config.disconnect.grace("rais", "/api/chat/ws") == 7.0
    assert str(config.store) == "sqlite:///runs.db"


TARGETS = """
[models.mix]
temperature = 0.5
max_tokens = 100
reasoning = "low"
params = { top_k = 3, seed = 4 }
retries = 1
description = "Both."

[models.mix.timeouts]
connect = 1
answer = 60

[[models.mix.targets]]
provider = "vllm"
model = "one"

[[models.mix.targets]]
provider = "groq"
model = "two"
key_env = "MY_KEY"
weight = 0
temperature = 0.0
max_tokens = 5
reasoning = "off"
params = { seed = 5 }
retries = 0
timeouts = { connect = 2, first_token = 3, between_tokens = 4 }
"""


def test_a_target_says_what_the_model_does_not(tmp_path: Path) -> None:
    model = read(tmp_path, TARGETS, {"MY_KEY": KEY}).models["mix"]
    assert (model.name, model.description) == ("mix", "Both.")
    assert [(choice.weight, choice.retries) for choice in model.choices] == [(1.0, 1), (0.0, 0)]
    one, two = model.targets
    assert (one.key, two.key and two.key.reveal()) == (None, KEY)
    assert one == Target(
        name="mix",
        provider="vllm",
        model="one",
        base_url="http://127.0.0.1:8001/v1",
        quirks=PRESETS["vllm"].quirks,
        temperature=0.5,
        max_tokens=100,
        reasoning="low",
        params={"top_k": 3, "seed": 4},
        timeouts=Timeouts(connect=1, answer=60),
    )
    assert msgspec.structs.replace(two, key=None) == Target(
        name="mix",
        provider="groq",
        model="two",
        base_url="https://api.groq.com/openai/v1",
        quirks=PRESETS["groq"].quirks,
        temperature=0.0,
        max_tokens=5,
        reasoning="off",
        params={"top_k": 3, "seed": 5},
        timeouts=Timeouts(connect=2, first_token=3, between_tokens=4, answer=60),
    )


def test_a_model_in_one_place_is_a_target_as_well(tmp_path: Path) -> None:
    lines = 'reasoning = "high"\nparams = { seed = 4 }\nretries = 0\ntimeouts = { answer = 60 }\n'
    (choice,) = read(tmp_path, MODEL + lines).models["small"].choices
    assert (choice.weight, choice.retries) == (1.0, 0)
    assert (choice.target.reasoning, choice.target.params) == ("high", {"seed": 4})
    assert choice.target.timeouts == Timeouts(answer=60)
    assert read(tmp_path, MODEL).models["small"].choices[0].retries == 2


def test_the_embedded_model_may_stand_in(tmp_path: Path) -> None:
    text = TARGETS.replace("max_tokens = 100", "") + '[[models.mix.targets]]\nprovider = "local"\n'
    *_, local = read(tmp_path, text, {"MY_KEY": KEY}).models["mix"].targets
    assert (local.provider, local.model, local.base_url, local.max_tokens) == ("local", "smollm2", "", 1024)


def test_one_model_is_enough(tmp_path: Path) -> None:
    config = read(tmp_path, MODEL)
    assert config.default_model == "small"
    assert config.models["small"].first.key is None
    assert config.origins == ()
    assert config.limits == Limits()
    graces = [config.disconnect.grace(wire, "/api/chat") for wire in ("rais", "tanstack", "tanstack-legacy")]
    assert graces == [1.0, 30.0, 1.0]
    assert str(config.store) == "memory"


def test_the_first_model_is_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, MODEL + MODEL.replace("small", "second")).default_model == "small"


def test_a_model_of_the_file_can_be_made_the_default(tmp_path: Path) -> None:
    config = read(tmp_path, MODEL + MODEL.replace("small", "second"), model="second")
    assert config.default_model == "second"
    assert list(config.models) == ["small", "second"]


def test_a_file_of_weights_can_be_the_default_beside_the_models_of_a_file(tmp_path: Path) -> None:
    config = read(tmp_path, MODEL, model="local:a.gguf")
    target = config.models[config.default_model].first
    assert (target.provider, target.model) == ("local", "a.gguf")
    assert "small" in config.models


@pytest.mark.parametrize(
    ("environ", "model", "expected"),
    [
        ({"OPENAI_API_KEY": KEY}, None, ("openai", "gpt-4o-mini", "https://api.openai.com/v1", KEY)),
        ({"OPENAI_API_KEY": KEY}, "gpt-9", ("openai", "gpt-9", "https://api.openai.com/v1", KEY)),
        ({"OPENAI_BASE_URL": "http://x/v1"}, None, ("openai", "gpt-4o-mini", "http://x/v1", None)),
        ({"OPENAI_BASE_URL": "http://x/v1/"}, "qwen3", ("openai", "qwen3", "http://x/v1", None)),
        ({"OPENAI_BASE_URL": "http://x/v1", "OPENAI_API_KEY": KEY}, "m", ("openai", "m", "http://x/v1", KEY)),
        ({"OPENAI_BASE_URL": "http://x/v1", "OPENAI_API_KEY": ""}, "m", ("openai", "m", "http://x/v1", None)),
        ({"GROQ_API_KEY": KEY}, None, ("groq", "llama-3.3-70b-versatile", "https://api.groq.com/openai/v1", KEY)),
        ({"GROQ_API_KEY": KEY}, "m", ("groq", "m", "https://api.groq.com/openai/v1", KEY)),
        ({"GROQ_API_KEY": "g", "OPENAI_API_KEY": KEY}, "m", ("openai", "m", "https://api.openai.com/v1", KEY)),
        ({}, None, ("local", "smollm2", "", None)),
        ({"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "GROQ_API_KEY": ""}, None, ("local", "smollm2", "", None)),
        ({}, "smollm2", ("local", "smollm2", "", None)),
        ({}, "local:a.gguf", ("local", "a.gguf", "", None)),
        ({"OPENAI_API_KEY": KEY}, "local:a.gguf", ("local", "a.gguf", "", None)),
        ({"GROQ_API_KEY": KEY}, "local:a.gguf", ("local", "a.gguf", "", None)),
    ],
)
def test_without_a_file_the_environment_says_which_model(
    environ: dict[str, str], model: str | None, expected: tuple[str, str, str, str | None]
) -> None:
    config = load(None, environ, model)
    ((target,),) = (model.targets for model in config.models.values())
    assert config.default_model == target.name
    assert (target.provider, target.model, target.base_url, target.key and target.key.reveal()) == expected
    assert config.origins is None


@pytest.mark.parametrize("model", ["qwen3", "", "local"])
def test_without_a_file_and_a_key_only_a_local_model_can_be_named(model: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        load(None, {}, model)


UNKNOWN_KEYS = {
    "colour": 'colour = "red"\n' + MODEL,
    "models.small.api_key": MODEL + f'api_key = "{KEY}"\n',
    "personas.poet.tone": MODEL + '[personas.poet]\nsystem = "Rhyme."\ntone = "blue"\n',
    "personas.poet.policy.temperatures": MODEL + '[personas.poet]\nsystem = ""\npolicy = { temperatures = [0, 1] }\n',
    "models.mix.targets[1].wait": TARGETS + "wait = 1\n",
    "models.mix.timeouts.last_token": TARGETS.replace("answer = 60", "last_token = 60"),
    "models.small.policy.models": MODEL + "policy = { models = [] }\n",
    "cors.origin": MODEL + '[cors]\norigin = "https://app.example"\n',
    "limits.body": MODEL + "[limits]\nbody = 1\n",
    "runs.keep": MODEL + "[runs]\nkeep = 1\n",
    "policy.refuse": MODEL + '[policy]\nrefuse = "reject"\n',
    "disconnect.vercel": MODEL + '[disconnect]\nvercel = "cancel"\n',
}


@pytest.mark.parametrize("path", UNKNOWN_KEYS)
def test_an_unknown_key_is_named_with_its_path(tmp_path: Path, path: str) -> None:
    line = mistake(tmp_path, UNKNOWN_KEYS[path])
    *tables, key = path.split(".")
    assert "tokenwire.toml" in line
    assert f"`{key}`" in line or path in line
    for table in tables:
        assert table in line
    assert KEY not in line


NEAR = {
    "limits: unknown field `mesages`: do you mean `messages`?": "[limits]\nmesages = 1\n",
    "models.mix.targets[0].timeouts: unknown field `conect`: do you mean `connect`?": (
        '[[models.mix.targets]]\nprovider = "ollama"\ntimeouts = { conect = 1 }\n'
    ),
    "top level: unknown field `polcy`: do you mean `policy`?": "[polcy]\n",
    "models.mix: unknown field `api_key`": '[models.mix]\nprovider = "groq"\napi_key = "x"\n',
    "log.level: 'loud' is not one of debug, error, info, warning": '[log]\nlevel = "loud"\n',
    "models.mix.reasoning: 'a lot' is not one of high, low, medium, off": '[models.mix]\nreasoning = "a lot"\n',
    "models.mix.price: missing field `output`": "[models.mix.price]\ninput = 1\n",
    "model: Expected string, got table": "[model.fast]\n",
    "limits.messages: Expected integer, got string": '[limits]\nmessages = "3"\n',
    "limits.messages: Expected integer >= 1": "[limits]\nmessages = 0\n",
    "personas.poet.variables[...]: Expected string, got integer": "[personas.poet.variables]\nshop = 3\n",
}


@pytest.mark.parametrize("line", NEAR)
def test_a_mistake_is_told_in_the_words_of_the_file_with_what_would_be_right(tmp_path: Path, line: str) -> None:
    assert mistake(tmp_path, MODEL + NEAR[line]) == f"{tmp_path / 'tokenwire.toml'}: {line}"


def test_every_algorithm_is_named(tmp_path: Path) -> None:
    line = mistake(tmp_path, MODEL + '[auth.jwt]\nissuer = "i"\naudience = "a"\nalgorithms = ["none"]\n')
    assert "'none' is not one of " in line
    assert all(name in line for name in ("HS256", "RS256", "ES256", "Ed25519"))


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "app.example",
        "https://*.app.example",
        "https://app.example/",
        "https://App.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://ann@app.example",
        "https://app.example?x",
        "https://app.example#x",
        "https://bücher.example",
        "https://app.example ",
    ],
)
def test_what_no_browser_says_is_no_origin(tmp_path: Path, origin: str) -> None:
    assert "cors.origins: " in mistake(tmp_path, MODEL + f'[cors]\norigins = ["{origin}"]\n')


@pytest.mark.parametrize(
    "origin",
    ["https://app.example", "http://localhost:5173", "https://app.example:80", "http://[::1]:8080", "http://10.0.0.7"],
)
def test_what_browsers_say_is(tmp_path: Path, origin: str) -> None:
    assert read(tmp_path, MODEL + f'[cors]\norigins = ["{origin}"]\n').origins == (origin,)


WRONG = {
    "an embedded model elsewhere": (
        "models.a.base_url: ",
        '[models.a]\nprovider = "local"\nbase_url = "http://x/v1"\n',
    ),
    "an embedded model with a key": ("models.a.key_env: ", '[models.a]\nprovider = "local"\nkey_env = "K"\n'),
    "a host with a port": ("server.hosts: 'a.example:80'", MODEL + '[server]\nhosts = ["a.example:80"]\n'),
    "a proxy that is no network": ("server.trusted_proxies: ", MODEL + '[server]\ntrusted_proxies = ["any"]\n'),
    "a provider that no model is at": (
        "policy.providers: no model is at 'oracle', but at openai-compatible",
        MODEL + '[policy]\nproviders = ["oracle"]\n',
    ),
    "seconds without end": ("runs: heartbeat_seconds is inf", MODEL + "[runs]\nheartbeat_seconds = inf\n"),
    "no number of seconds": ("runs.silence_seconds", MODEL + "[runs]\nsilence_seconds = nan\n"),
    "dollars without end": ("budgets.per_key: day_dollars is inf", MODEL + "[budgets.per_key]\nday_dollars = inf\n"),
    "no TOML": ("tokenwire.toml: not TOML", "model = \n"),
    "no model": ("models", ""),
    "an unknown default": ("model: ", 'model = "large"\n' + MODEL),
    "models that are a list": ("models", "models = []\n"),
    "a model that is a text": ("models", 'models = { small = "x" }\n'),
    "no provider": ("models.small", "[models.small]\n"),
    "an unknown provider": ("models.small.provider", MODEL.replace("openai-compatible", "oracle")),
    "no base URL": ("models.small.base_url", '[models.small]\nprovider = "openai-compatible"\nmodel = "m"\n'),
    "no upstream model": ("models.small.model", '[models.small]\nprovider = "ollama"\n'),
    "a temperature too high": ("models.small.temperature", MODEL + "temperature = 2.5\n"),
    "a temperature that is none": ("models.small.temperature", MODEL + "temperature = nan\n"),
    "a provider beside the targets": ("models.mix.provider", TARGETS.replace("retries = 1", 'provider = "groq"')),
    "an upstream's name beside the targets": ("models.mix.model", TARGETS.replace("retries = 1", 'model = "m"')),
    "a target without a provider": ("models.mix.targets[0]", TARGETS.replace('provider = "vllm"', "")),
    "a target of an unknown provider": ("models.mix.targets[1].provider", TARGETS.replace('"groq"', '"oracle"')),
    "a target without a model": ("models.mix.targets[0].model", TARGETS.replace('model = "one"', "")),
    "a target whose key is not set": ("models.mix.targets[1].key_env", TARGETS),
    "a weight below nothing": ("models.mix.targets[1].weight", TARGETS.replace("weight = 0", "weight = -1")),
    "no time": ("models.mix.timeouts.answer", TARGETS.replace("answer = 60", "answer = 0")),
    "no time of a target": ("models.mix.targets[1].timeouts.connect", TARGETS.replace("connect = 2", "connect = 0")),
    "fewer than no retries": ("models.mix.retries", TARGETS.replace("retries = 1", "retries = -1")),
    "an unknown effort": ("models.mix.reasoning", TARGETS.replace('"low"', '"a lot"')),
    "no targets": ("models.small.provider", "[models.small]\ntargets = []\n"),
    "no tokens": ("models.small.max_tokens", MODEL + "max_tokens = 0\n"),
    "a persona without words": ("personas.poet", MODEL + "[personas.poet]\n"),
    "a persona of an unknown model": (
        "personas.poet.model",
        MODEL + '[personas.poet]\nsystem = "Rhyme."\nmodel = "large"\n',
    ),
    "a persona with two prompts": (
        "personas.poet.system_file",
        MODEL + '[personas.poet]\nsystem = "Rhyme."\nsystem_file = "poet.md"\n',
    ),
    "a prompt that is not there": ("personas.poet.system_file", MODEL + '[personas.poet]\nsystem_file = "no.md"\n'),
    "a prompt that is a folder": ("personas.poet.system_file", MODEL + '[personas.poet]\nsystem_file = "."\n'),
    "a prompt with no name": ("personas.poet.system_file", MODEL + '[personas.poet]\nsystem_file = "\\u0000"\n'),
    "a prompt that is no text": ("personas.poet.system_file", MODEL + '[personas.poet]\nsystem_file = "binary"\n'),
    "an unknown variable": (
        "personas.poet.system: there is no variable",
        MODEL + '[personas.poet]\nsystem = "{{x}}"\n',
    ),
    "an unknown variable in a file": (
        "'unknown.md': there is no variable",
        MODEL + '[personas.poet]\nsystem_file = "unknown.md"\n',
    ),
    "a constant of a variable's name": (
        "personas.poet.system",
        MODEL + '[personas.poet]\nsystem = "x"\nvariables = { date = "today" }\n',
    ),
    "a constant that is no text": (
        "personas.poet.variables",
        MODEL + '[personas.poet]\nsystem = "x"\nvariables = { size = 3 }\n',
    ),
    "a persona's unknown model to choose": (
        "personas.poet.policy.models",
        MODEL + '[personas.poet]\nsystem = "x"\npolicy = { models = ["large"] }\n',
    ),
    "a persona's bounds the wrong way round": (
        "personas.poet.policy.temperature",
        MODEL + '[personas.poet]\nsystem = "x"\npolicy = { temperature = [1, 0] }\n',
    ),
    "a model's bounds the wrong way round": (
        "models.small.policy.temperature",
        MODEL + "policy = { temperature = [1, 0] }\n",
    ),
    "a list of unknown models": ("policy.models", MODEL + '[policy]\nmodels = ["large"]\n'),
    "a list of unknown personas": ("policy.personas", MODEL + '[policy]\npersonas = ["poet"]\n'),
    "an unknown way with system messages": ("policy.client_system", MODEL + '[policy]\nclient_system = "maybe"\n'),
    "an unknown time zone": ("timezone", 'timezone = "Europe/Atlantis"\n' + MODEL),
    "a time zone that is a path": ("timezone", 'timezone = "../../etc/passwd"\n' + MODEL),
    "a time zone that is a continent": ("timezone", 'timezone = "Europe"\n' + MODEL),
    "no bytes": ("limits.body_bytes", MODEL + "[limits]\nbody_bytes = 0\n"),
    "bytes that are a text": ("limits.body_bytes", MODEL + '[limits]\nbody_bytes = "4M"\n'),
    "bytes that are a fraction": ("limits.body_bytes", MODEL + "[limits]\nbody_bytes = 1.5\n"),
    "no seconds": ("runs.keep_seconds", MODEL + "[runs]\nkeep_seconds = 0\n"),
    "seconds that are none": ("runs.heartbeat_seconds", MODEL + "[runs]\nheartbeat_seconds = nan\n"),
    "an unknown policy": ("policy.refused", MODEL + '[policy]\nrefused = "maybe"\n'),
    "one bound": ("policy.temperature", MODEL + "[policy]\ntemperature = [1]\n"),
    "bounds the wrong way round": ("policy.temperature", MODEL + "[policy]\ntemperature = [1.5, 0.5]\n"),
    "an unknown disconnect": ("disconnect.rais", MODEL + '[disconnect]\nrais = "maybe"\n'),
    "an unknown route": ("/api/chatt", MODEL + '[disconnect.routes]\n"/api/chatt" = "cancel"\n'),
    "a grace of nothing": ("disconnect.tanstack", MODEL + '[disconnect]\ntanstack = "grace()"\n'),
    "a grace before": ("disconnect.tanstack_legacy", MODEL + '[disconnect]\ntanstack_legacy = "grace(-1)"\n'),
    "every origin": ("cors.origins", MODEL + '[cors]\norigins = ["*"]\n'),
    "an origin with a path": ("cors.origins", MODEL + '[cors]\norigins = ["https://app.example/"]\n'),
    "an origin without a scheme": ("cors.origins", MODEL + '[cors]\norigins = ["app.example"]\n'),
    "origins that are a text": ("cors.origins", MODEL + '[cors]\norigins = "https://app.example"\n'),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_a_line_that_names_its_place(tmp_path: Path, what: str) -> None:
    place, text = WRONG[what]
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "unknown.md").write_text("{{x}}")
    assert place in mistake(tmp_path, text)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "model.example/v1",
        "ftp://model.example/v1",
        "http://",
        "http:///v1",
        "http://user:sk-canary@model.example/v1",
        "http://model.example/v1?key=sk-canary",
        "http://model.example/v1#sk-canary",
        "http://model.example/v1 ",
        "http://model.example/v1\r\nx: y",
        "http://model.example:99999/v1",
        "http://model.example:http/v1",
        "http://[::1/v1",
        "http://model.example/v1/€",
    ],
)
def test_a_base_url_that_nothing_can_be_asked_at(tmp_path: Path, url: str) -> None:
    text = MODEL.replace('"http://model.example/v1"', msgspec.json.encode(url).decode())
    line = mistake(tmp_path, text)
    assert "models.small.base_url" in line
    assert "sk-canary" not in line
    if url:
        with pytest.raises(ConfigError, match=r"OPENAI_BASE_URL|base_url"):
            load(None, {"OPENAI_BASE_URL": url})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://model.example", "http://[::1]:8080/v1", "http://a.b-c.example:1/x/y/"]
)
def test_a_base_url_that_something_can_be_asked_at(tmp_path: Path, url: str) -> None:
    config = read(tmp_path, MODEL.replace("http://model.example/v1", url))
    assert config.models["small"].first.base_url == url.rstrip("/")


def test_a_key_that_is_not_set_is_named(tmp_path: Path) -> None:
    for environ in ({}, {"MY_KEY": ""}):
        line = mistake(tmp_path, MODEL + 'key_env = "MY_KEY"\n', environ)
        assert "models.small.key_env" in line
        assert "MY_KEY" in line
    assert "GROQ_API_KEY" in mistake(tmp_path, '[models.small]\nprovider = "groq"\n')


@pytest.mark.parametrize("key", ["sk-proj-0aB1cD2eF3", "gsk_0aB1cD2eF3"])
@pytest.mark.parametrize(
    ("table", "place"),
    [(MODEL + "key_env", "models.small.key_env"), (f"{MODEL}[metrics]\ntoken_env", "metrics.token_env")],
)
def test_a_key_in_place_of_its_variable_is_not_shown(tmp_path: Path, table: str, place: str, key: str) -> None:
    line = mistake(tmp_path, f'{table} = "{key}"\n')
    assert place in line
    assert key not in line


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY} x", f"{KEY}\r\nx: y", f"“{KEY}”", "\x00"])
def test_a_key_that_no_header_holds_is_not_shown(tmp_path: Path, key: str) -> None:
    line = mistake(tmp_path, MODEL + 'key_env = "MY_KEY"\n', {"MY_KEY": key})
    assert "models.small.key_env" in line
    assert "MY_KEY" in line
    assert KEY not in line


def test_a_key_may_be_wanted_by_nobody(tmp_path: Path) -> None:
    config = read(tmp_path, '[models.small]\nprovider = "groq"\nkey_env = ""\n', {"GROQ_API_KEY": KEY})
    assert config.models["small"].first.key is None


def test_a_mistake_in_a_model_that_is_not_the_default_is_found(tmp_path: Path) -> None:
    assert "models.other" in mistake(tmp_path, MODEL + '[models.other]\nprovider = "oracle"\n')


def test_a_name_with_a_line_end_does_not_break_the_line(tmp_path: Path) -> None:
    assert "model" in mistake(tmp_path, 'model = "a\\nb"\n' + MODEL)
    mistake(tmp_path, MODEL + '[personas."a\\nb"]\nsystem = "x"\nmodel = "large"\n')
    mistake(tmp_path, MODEL, model="a\nb")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.toml"):
        with pytest.raises(ConfigError) as wrong:
            load(path, {})
        assert str(path) in str(wrong.value)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"bytes\.toml: not TOML"):
        load(tmp_path / "bytes.toml", {})


def test_no_way_of_showing_a_configuration_shows_a_key(tmp_path: Path) -> None:
    config = read(tmp_path, MODEL + 'key_env = "MY_KEY"\n', {"MY_KEY": KEY})
    target = config.models["small"].first
    assert target.key is not None
    for shown in (
        repr(config),
        str(config),
        repr(target),
        f"{target.key} {target.key!r} {target.key:>20}",
        str(target.key),
    ):
        assert KEY not in shown
    with pytest.raises(TypeError):
        msgspec.json.encode(config)
