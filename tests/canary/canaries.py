"""Words that stand nowhere else: where one of them turns up, it has leaked."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import NamedTuple


def _part(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


PROVIDER_KEY = "provider-4f1d9c0a7be25d83-canary"
"""In no shape that anybody could recognise: it has to be known."""
STORE_PASSWORD = "store-90ab12ef34cd56-canary"
SCRAPER_TOKEN = "scraper-77cc10aa52ee98-canary"
CLIENT_KEY = "tw_client_8d02c4f6a1b3e597canary"
JWT = ".".join(map(_part, ('{"alg":"HS256"}', '{"sub":"jwt-canary-31d7"}', "jwt-signature-canary-5e90")))
BYOK = "sk-byok-6c5b4a39281706f5-canary"
COOKIE = "cookie-3e5d7c9b1a2f4680-canary"
TICKET = "ticket-1f2e3d4c5b6a7988-canary"

SECRETS = {
    "the provider's key": PROVIDER_KEY,
    "the store's password": STORE_PASSWORD,
    "the scraper's token": SCRAPER_TOKEN,
    "a client's key": CLIENT_KEY,
    "a JWT": JWT,
    "a JWT's signature": JWT.rpartition(".")[2],
    "a key for one run": BYOK,
    "a cookie": COOKIE,
    "a ticket": TICKET,
}

PROMPT = "what-was-asked-canary-b21c"
SYSTEM = "how-to-answer-canary-c32d"
ANSWER = "what-was-answered-canary-d43e"

MODEL = "model-of-the-upstream-canary-e54f"

CONTENT = {"a prompt": PROMPT, "a system prompt": SYSTEM, "an answer": ANSWER}
UNSEEN = {"a prompt": PROMPT, "a system prompt": SYSTEM}
"""What not even the answer's own reader is told."""

HEADERS = {
    "authorization": f"Bearer {CLIENT_KEY}",
    "x-api-key": CLIENT_KEY,
    "x-goog-api-key": CLIENT_KEY,
    "api-key": CLIENT_KEY,
    "cookie": f"session={COOKIE}; theme=dark",
    "x-byok-openai": BYOK,
}
OTHER_HEADERS = {"authorization": f"Bearer {JWT}", "cookie": f"__Host-session={COOKIE}"}


class Leak(NamedTuple):
    """A word, and where it was found."""

    what: str
    where: str
    around: str


def leaks(where: str, text: str | bytes, words: Mapping[str, str]) -> list[Leak]:
    """Every word that is in a text."""
    said = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return [Leak(what, where, _around(said, word)) for what, word in words.items() if word in said]


def _around(text: str, word: str) -> str:
    place = text.index(word)
    return text[max(0, place - 200) : place + len(word) + 40]
