"""The one redactor: what a log, a span or a page says goes through it, and comes out without secrets."""

import json
import re
from urllib.parse import quote

from ..secret import living

MASK = "****"
FAILED = "[redaction failed]"

_SHORTEST = 6
"""A shorter value is no secret, and its characters are in every line."""

_HEADERS = (
    r"(?:proxy-)?authorization|x-api-key|x-goog-api-key|api-key|(?:set-)?cookie|x-byok-[\w-]+|sec-websocket-protocol"
)
_FIELDS = r"api_?key|password|passwd|secret|client_?secret|(?:access|refresh|id)_?token|ticket"
_QUOTED = r"""b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?"""
_NAMED = r"""\\?["']?\s*[:=]\s*|["']\s*,\s*"""

# a header's value has words and semicolons of its own: without quotes it goes on to the end of the line
_HEADER = re.compile(rf"(?i)\b({_HEADERS})({_NAMED})({_QUOTED}|[^\r\n]+)")
_FIELD = re.compile(rf"(?i)\b({_FIELDS})({_NAMED})({_QUOTED}|[^\s,;&]+)")
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{6,}")
_QUERY = re.compile(r"(?i)([?&;](?:key|token|offset|sig|signature|code|auth)=)[^\s&#\"']+")
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#\"']*@", re.I)
_SHAPE = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk)-[\w-]{6,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek …
    r"|AIza[\w-]{10,}"
    r"|(?:gsk|hf|r8|tw|ghp|gho)_[\w-]{6,}"
    r"|(?:xai|pplx|nvapi|tgp|fw|csk)-[\w-]{6,}"
    r"|tokenwire\.bearer\.[\w-]+"  # a WebSocket's subprotocol
    r"|AKIA[0-9A-Z]{12,}"
    r"|eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)*"
    r")"
)


def redact(text: str) -> str:
    """The text without secrets: those that are known (:class:`tokenwire.secret.Secret`), and whatever looks like one.

    Never raises: of a text that cannot be looked through, nothing is said.
    """
    try:
        for value in _known():
            if value in text:
                text = text.replace(value, MASK)
        text = _HEADER.sub(rf"\1\2{MASK}", text)
        text = _FIELD.sub(rf"\1\2{MASK}", text)
        text = _USERINFO.sub(rf"\1{MASK}@", text)
        text = _QUERY.sub(rf"\1{MASK}", text)
        text = _SCHEME.sub(rf"\1\2{MASK}", text)
        return _SHAPE.sub(MASK, text)
    except Exception:  # noqa: BLE001 -- whatever it is, the text may hold a secret
        return FAILED


def _known() -> list[str]:
    """What secrets look like in a text: as they are, in a URL and in JSON. The longest first: one may hold another."""
    values = {secret.reveal() for secret in living()}
    spelled = {form for value in values for form in (value, quote(value, safe=""), json.dumps(value)[1:-1])}
    return sorted((form for form in spelled if len(form) >= _SHORTEST), key=len, reverse=True)
