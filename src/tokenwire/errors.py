"""Everything that can go wrong, and what of it a client may see.

    TokenwireError
    ├── ConfigError          the operator's file or flags: one line, exit code 2
    ├── Failure              told to a client: a stable code, a safe message, an HTTP status
    │   ├── Refusal          we said no before any token
    │   │   └── ByokMissing      a key that the request has to bring is not there
    │   └── UpstreamFailure  the model's side failed
    └── ClientError          what the Python client raises (tokenwire.client.errors has the rest of it)
        ├── ProtocolError         what came is not a chat stream
        └── TruncatedStreamError  the answer broke off, and nothing says where to go on

A client sees ``code`` and ``message`` of a :class:`Failure`, as an HTTP answer before the first byte of a stream or
as the stream's error event after it. ``detail`` is for the log only: it may quote an upstream.
"""

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    """The stable codes of :class:`Failure`. Clients may depend on them."""

    bad_json = "bad_json"
    bad_request = "bad_request"
    unauthenticated = "unauthenticated"
    byok_missing = "byok_missing"
    byok_refused = "byok_refused"
    forbidden_origin = "forbidden_origin"
    not_found = "not_found"
    unknown_run = "unknown_run"
    no_offset = "no_offset"
    method_not_allowed = "method_not_allowed"
    request_timeout = "request_timeout"
    request_too_large = "request_too_large"
    too_many_messages = "too_many_messages"
    conversation_too_long = "conversation_too_long"
    too_many_tools = "too_many_tools"
    rate_limited = "rate_limited"
    too_many_runs = "too_many_runs"
    budget_exhausted = "budget_exhausted"
    refused_choice = "refused_choice"
    overloaded = "overloaded"
    internal = "internal"

    upstream_auth = "upstream_auth"
    upstream_quota = "upstream_quota"
    upstream_unknown_model = "upstream_unknown_model"
    upstream_rate_limited = "upstream_rate_limited"
    upstream_overloaded = "upstream_overloaded"
    upstream_rejected = "upstream_rejected"
    context_too_long = "context_too_long"
    unsupported_content = "unsupported_content"
    content_filtered = "content_filtered"
    upstream_unavailable = "upstream_unavailable"
    upstream_timeout = "upstream_timeout"
    upstream_truncated = "upstream_truncated"
    upstream_malformed = "upstream_malformed"
    upstream_error = "upstream_error"

    agent_failed = "agent_failed"
    abandoned = "abandoned"
    answer_too_long = "answer_too_long"
    empty_answer = "empty_answer"
    shutting_down = "shutting_down"
    store_unavailable = "store_unavailable"
    producer_lost = "producer_lost"


_DEFAULTS: dict[Code, tuple[int, str]] = {
    Code.bad_json: (400, "The request body is not valid JSON."),
    Code.bad_request: (422, "The request is not a chat request."),
    Code.unauthenticated: (401, "Who is asking? Sign in, or send a valid key."),
    Code.byok_missing: (401, "Bring a key of your own for this model."),
    # not 401: whoever gets that takes it for a question of who is asking us
    Code.byok_refused: (400, "The model's provider refused your key."),
    Code.forbidden_origin: (403, "This origin is not allowed."),
    Code.not_found: (404, "There is nothing at this address."),
    Code.unknown_run: (404, "There is no such run, or it is no longer kept."),
    Code.no_offset: (400, "Name the place to resume from: ?offset=-1&runId=…, or Last-Event-ID."),
    Code.method_not_allowed: (405, "This method is not allowed here."),
    Code.request_timeout: (408, "The request body did not arrive in time."),
    Code.request_too_large: (413, "The request body is too large."),
    Code.too_many_messages: (413, "The conversation has too many messages."),
    Code.conversation_too_long: (413, "The conversation is too long."),
    Code.too_many_tools: (413, "The request brings too many tools, or too large ones."),
    Code.rate_limited: (429, "Too many requests. Try again in a moment."),
    Code.too_many_runs: (429, "Too many answers at once. Wait for one to end, or stop it."),
    # not 429: whoever gets that tries again, and this does not pass by waiting a moment
    Code.budget_exhausted: (402, "The budget is used up."),
    Code.refused_choice: (400, "The request asks for something this server does not offer."),
    Code.overloaded: (503, "The server is at its limit. Try again in a moment."),
    Code.internal: (500, "Something went wrong on the server."),
    Code.upstream_auth: (502, "The server's access to the model was refused."),
    Code.upstream_quota: (502, "The server's account with the model's provider is used up."),
    Code.upstream_unknown_model: (502, "The model's provider does not know the model."),
    Code.upstream_rate_limited: (429, "The model is busy. Try again in a moment."),
    Code.upstream_overloaded: (503, "The model's provider is overloaded. Try again in a moment."),
    Code.upstream_rejected: (400, "The model did not accept this conversation."),
    Code.context_too_long: (400, "The conversation is too long for this model."),
    Code.unsupported_content: (400, "The model does not take this kind of content."),
    Code.content_filtered: (400, "The model's provider does not answer this."),
    Code.upstream_unavailable: (502, "The model could not be reached."),
    Code.upstream_timeout: (504, "The model did not answer in time."),
    Code.upstream_truncated: (502, "The answer broke off: the connection to the model was lost."),
    Code.upstream_malformed: (502, "The model's answer could not be read."),
    Code.upstream_error: (502, "The model reported an error."),
    Code.agent_failed: (500, "The agent failed."),
    Code.abandoned: (410, "The answer was stopped because nobody was listening any more."),
    Code.answer_too_long: (502, "The answer was stopped because it grew too long."),
    Code.empty_answer: (502, "The model gave an empty answer."),
    Code.shutting_down: (503, "The server is shutting down."),
    Code.store_unavailable: (503, "The server cannot keep answers at the moment. Try again in a moment."),
    Code.producer_lost: (502, "The answer broke off: the server that was making it is gone."),
}


class TokenwireError(Exception):
    """The root of every error this package raises on purpose."""


class ConfigError(TokenwireError):
    """The operator's configuration is wrong. The text is one line that names the place and never a secret."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Failure(TokenwireError):
    """Something a client is told.

    :param message: overrides the code's standard text; it must be safe to show to anybody.
    :param detail: for the log only.
    :param retry_after: seconds after which trying again makes sense, where known.
    :param headers: further ones of the HTTP answer.
    """

    def __init__(
        self,
        code: Code,
        message: str | None = None,
        *,
        detail: str = "",
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status, default = _DEFAULTS[code]
        self.message = message or default
        self.detail = detail
        self.retry_after = retry_after
        self.headers = headers or {}
        super().__init__(f"{code}: {self.message}")


class Refusal(Failure):
    """We said no before any token."""


class ByokMissing(Refusal):
    """A key that the request has to bring is not there."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        super().__init__(Code.byok_missing, f"Missing {provider} API key")


class UpstreamFailure(Failure):
    """The model's side failed."""


class ClientError(TokenwireError):
    """The root of every error of :mod:`tokenwire.client`."""


class ProtocolError(ClientError):
    """What came is not a chat stream: no JSON, no UTF-8, no event, or too long."""


class TruncatedStreamError(ClientError):
    """The answer ended without a terminal event, and without an offset to go on from."""

    def __init__(self) -> None:
        super().__init__("The answer broke off: the stream ended without a terminal event.")
