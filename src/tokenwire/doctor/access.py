"""Who may ask."""

from collections.abc import Iterator

from ..config import Config
from ..config.auth import SECRET_ENV
from .finding import Finding, note, ok, warning
from .network import is_this_machine

CHECK = "access"


def check(config: Config) -> Iterator[Finding]:
    """Weak points of ``[auth]`` and of what else answers somebody."""
    auth, metrics = config.auth, config.metrics
    found = list(_weak_points(config))
    if not auth.configured:
        yield note(
            CHECK,
            "nothing says who may ask: only this machine is served",
            "[auth]",
            "keys = true",
            why="On any other address the server does not start, and a proxy's names are refused.",
        )
    if metrics is not None and metrics.port is not None and not is_this_machine(metrics.host) and not metrics.token:
        found.append(
            warning(
                CHECK,
                f"metrics are for everybody who reaches {metrics.host} port {metrics.port}",
                "[metrics]",
                'token_env = "METRICS_TOKEN"',
                why="They tell how much is asked of which model.",
            )
        )
    yield from found
    if auth.configured and not found:
        yield ok(CHECK, "whoever asks has to say who they are")


def _weak_points(config: Config) -> Iterator[Finding]:
    auth = config.auth
    if auth.anonymous:
        limited = config.rates.per_ip.requests_per_minute or config.rates.per_ip.concurrent_runs
        if not limited:
            yield warning(
                CHECK,
                "everybody may ask (auth.anonymous), as often as they like",
                "[rates.per_ip]",
                "requests_per_minute = 20",
                "concurrent_runs = 2",
                why="One visitor can spend all that your keys are good for.",
            )
        else:
            yield note(CHECK, "everybody may ask (auth.anonymous), within the rates of their address")
    if auth.keys and auth.pepper is None:
        yield note(
            CHECK,
            f"API keys are kept without {SECRET_ENV}",
            f"export {SECRET_ENV}=$(openssl rand -base64 48)   # the same everywhere; a change ends every key",
            why="Who can write to the store can make keys.",
        )
    if auth.jwt is not None and not auth.jwt.prefix and auth.keys:
        yield warning(
            CHECK,
            'auth.jwt.prefix is ""',
            "[auth.jwt]",
            'prefix = "jwt:"',
            why="Whoever chooses a name at the issuer can choose that of an API key, and see its runs.",
        )
    for network in config.server.trusted_proxies:
        if network.endswith("/0"):
            yield warning(
                CHECK,
                f"server.trusted_proxies trusts everybody ({network})",
                "name the addresses of your proxies",
                why="Whoever asks can choose the address that they are counted under.",
            )
