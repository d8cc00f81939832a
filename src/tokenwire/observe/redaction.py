"""The one redactor: what a log, a span or a page says goes through it, and comes out without secrets."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus
from weakref import WeakKeyDictionary

from ..secret import Secret, living

MASK = "****"
FAILED = "[redaction failed]"

_SHORTEST = 6
"""A shorter value is no secret, and its characters are in every line."""
_URL_ALPHABET = str.maketrans("+/", "-_")

# their names stand in environments and in longer words, too: HTTP_COOKIE, OPENAI_API_KEY, dbPassword
_HEADERS = r"authorization|cookie|x[-_]byok[-_][\w-]{1,64}|sec[-_]websocket[-_]protocol"
_FIELDS = (
    r"api[-_ ]?key|passw(?:or)?d|passphrase|secret(?:_?access)?(?:_?key)?|private[-_]?key|ticket|credential"
    r"|(?:access|refresh|id|auth|session|security)[-_]?token|token(?=\\*[\"']|=)"
)
_QUOTED = r"""b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|\\+"[^"]*"?|\\+'[^']*'?"""
_NAMED = r"""\\*["']?\s*(?:[:=]|%3[ad])\s*|\\*["']\s*,\s*"""
_BEFORE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
"""No word goes on there, as it may only seem to behind a line's end or a space that is spelled out."""

# every start of a match is the end of another, or its length is bounded: a long line is read in one go
_SCHEME = re.compile(r"(?i)(bearer|basic)(\s+|%20|\+)[\w.~+/=-]{6,}")
# a header's value has words and semicolons of its own: without quotes it goes on to the end of the line
_HEADER = re.compile(rf"(?i)({_HEADERS})({_NAMED})({_QUOTED}|[^\r\n]+)")
_FIELD = re.compile(rf"(?i)({_FIELDS})({_NAMED})({_QUOTED}|[^\s,;&]+)")
_QUERY = re.compile(r"(?i)([?&;][\w-]{0,40}(?:key|token|offset|sig|signature|credential|code|auth)=)[^\s&#\"']+")
_USERINFO = re.compile(r"(://)[^\s/?#\"']*@")
_SHAPE = re.compile(
    rf"{_BEFORE}(?:"
    r"(?:sk|pk|rk)-[\w-]{6,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek …
    r"|AIza[\w-]{10,}"
    r"|(?:gsk|hf|r8|tw|gh[opsu]|github_pat|[prs]k_(?:live|test))_[\w-]{6,}"
    r"|(?:xai|pplx|nvapi|tgp|fw|csk|glpat|xox[a-z])-[\w-]{6,}"
    r"|tokenwire\.bearer\.[\w-]+"  # a WebSocket's subprotocol
    r"|AKIA[0-9A-Z]{12,}"
    r"|eyJ[\w-]{5,}(?:\.[\w-]*)*"
    r")"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*"
)

_spelled: "WeakKeyDictionary[Secret, tuple[str, ...]]" = WeakKeyDictionary()


def redact(text: str) -> str:
    """The text without secrets: those that are known (:class:`tokenwire.secret.Secret`), and whatever looks like one.

    Never raises: of a text that cannot be looked through, nothing is said.
    """
    try:
        for form in sorted(_known(text), key=len, reverse=True):  # one may hold another
            text = text.replace(form, MASK)
        text = _SCHEME.sub(rf"\1\2{MASK}", text)
        text = _HEADER.sub(rf"\1\2{MASK}", text)
        text = _FIELD.sub(rf"\1\2{MASK}", text)
        text = _USERINFO.sub(rf"\1{MASK}@", text)
        text = _QUERY.sub(rf"\1{MASK}", text)
        return _SHAPE.sub(MASK, text)
    except Exception:  # noqa: BLE001 -- whatever it is, the text may hold a secret
        return FAILED


def _known(text: str) -> list[str]:
    """Of all living secrets, the spellings that are in a text."""
    return [form for secret in living() for form in _forms(secret) if form in text]


def _forms(secret: Secret) -> tuple[str, ...]:
    forms = _spelled.get(secret)
    if forms is None:
        forms = _spelled[secret] = tuple(_spellings(secret.reveal()))
    return forms


def _spellings(value: str) -> set[str]:
    """As it is, and in a URL, in JSON, in a repr and in base64."""
    raw = value.encode(errors="surrogatepass")
    urls = (quote(raw, safe=""), quote(raw), quote_plus(raw))
    forms = {value, *urls, json.dumps(value)[1:-1], repr(value)[1:-1], repr(raw)[2:-1], *_in_base64(raw)}
    return {form for form in forms if len(form) >= _SHORTEST}


def _in_base64(value: bytes) -> Iterator[str]:
    """What is left of it wherever it stands in what was encoded: without the characters that its neighbours share."""
    for ahead in range(3):
        said = b64encode(bytes(ahead) + value).decode().rstrip("=")
        whole = said[(0, 2, 3)[ahead] : len(said) - ((ahead + len(value)) % 3 > 0)]
        yield from (whole, whole.translate(_URL_ALPHABET))
