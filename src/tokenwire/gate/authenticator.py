"""Who is asking: everything of ``[auth]`` together, and the application's own word for it."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self

from starlette.requests import HTTPConnection
from starlette.types import Scope

from ..accounts.address import open_records
from ..accounts.records.contract import Records
from ..accounts.records.memory import MemoryRecords
from ..config.auth import Auth
from ..errors import Code, ConfigError, Failure, Refusal
from ..runs.address import StoreAddress
from .credentials import Credential, changes_state, credential_of, with_bearer
from .key_watch import KeyWatch
from .keys import PREFIX, Keys
from .origin import Origins
from .principal import ANONYMOUS, Principal
from .tickets import Tickets

if TYPE_CHECKING:
    from .tokens import Tokens

logger = logging.getLogger("tokenwire.gate")

Told = Principal | str | None
Authenticate = Callable[[HTTPConnection], Told | Awaitable[Told]]
"""From a request, or the opening of a WebSocket, to a principal; ``None`` for nobody we know."""


class Authenticator:
    """Says of every connection who is asking.

    It fails closed: whatever goes wrong, nobody is known. Without ``[auth]`` and without ``authenticate`` nobody has
    to say who they are.

    :param records: where keys and tickets are.
    :param origins: where a browser may ask from.
    :param authenticate: the application's own, asked about everything that is neither a key nor a JWT of ours.
    :raises ConfigError: where ``[auth]`` names what is not there.
    """

    def __init__(
        self, auth: Auth, records: Records, origins: Origins, authenticate: Authenticate | None = None
    ) -> None:
        self._auth = auth
        self._records = records
        self._origins = origins
        self._authenticate = authenticate
        self._open = authenticate is None and not (auth.keys or auth.jwt)
        self._tokens = _tokens(auth)
        self._keys = Keys(records, auth.pepper)
        self._tickets = Tickets(records)
        self.watch = KeyWatch(self._keys)

    @classmethod
    async def open(
        cls, auth: Auth, store: StoreAddress, origins: Origins, authenticate: Authenticate | None = None
    ) -> Self:
        """One whose records are kept in a store, which is not asked for where nobody has to say who they are."""
        asks = auth.keys or auth.jwt is not None or authenticate is not None
        records = await open_records(store) if asks else MemoryRecords()
        try:
            return cls(auth, records, origins, authenticate)
        except ConfigError:
            await records.close()
            raise

    async def identify(self, scope: Scope) -> Principal:
        """Who is asking.

        Raises :class:`Refusal`: ``unauthenticated`` for nobody we know, ``forbidden_origin`` for a page elsewhere, and
        what says that it cannot be known at the moment. A :class:`Failure` of the application's own is told as it is.
        """
        if self._open:
            return ANONYMOUS
        try:
            principal = await self._known(HTTPConnection(scope))
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, nobody is known
            # not its text: a KeyError's is the very key that was sent
            logger.warning("authenticating raised %s: not authenticated", type(error).__name__)
            raise Refusal(Code.unauthenticated) from None
        if principal is not None and not isinstance(principal, Principal | str):
            raise TypeError(
                f"authenticate gives a principal as a Principal or as a str, not as {type(principal).__name__}"
            )
        if isinstance(principal, str):
            principal = Principal(name=principal)
        if principal is None or (not principal.name and principal is not ANONYMOUS):
            raise Refusal(Code.unauthenticated)
        origin = HTTPConnection(scope).headers.get("origin")
        if origin is not None and principal.scopes.origins is not None and origin not in principal.scopes.origins:
            raise Refusal(Code.forbidden_origin)
        return principal

    async def identify_by(self, token: str, scope: Scope) -> Principal:
        """Who is asking on a connection that was opened, by a token that came on it. Raises as :meth:`identify`."""
        return await self.identify(with_bearer(scope, token))

    def may_say_later(self, scope: Scope) -> bool:
        """Whether a WebSocket that brought nothing to show may still say who is asking, in its first frame."""
        try:
            brought = credential_of(HTTPConnection(scope), self._auth.cookie)
        except Refusal:
            return False
        return brought is None and bool(self._auth.keys or self._auth.jwt)

    async def ticket(self, principal: Principal) -> str:
        """What opens one WebSocket in the name of a principal.

        Raises :class:`Refusal`: ``unauthenticated`` for nobody in particular, who needs none.
        """
        if not principal.name:
            raise Refusal(Code.unauthenticated)
        return await self._tickets.issue(principal)

    async def close(self) -> None:
        """Lets go of everything, the records too."""
        await self.watch.close()
        if self._tokens is not None:
            await self._tokens.close()
        await self._records.close()

    async def _known(self, connection: HTTPConnection) -> Told:
        credential = credential_of(connection, self._auth.cookie)
        if credential is None:
            told = await self._told(connection)
            return ANONYMOUS if told is None and self._auth.anonymous else told
        if credential.source == "cookie" and changes_state(connection.scope):
            self._check_page(connection)
        return await self._judged(credential, connection)

    async def _judged(self, credential: Credential, connection: HTTPConnection) -> Told:
        token = credential.token.reveal()
        if credential.source == "ticket":
            principal = await self._tickets.redeem(token)
            return None if principal is None else await self._keys.confirm(principal)
        if self._auth.keys and token.startswith(PREFIX):
            return await self._keys.verify(token)
        if self._tokens is not None and credential.source != "scheme" and token.count(".") == 2:
            return await self._tokens.verify(token)
        if credential.source == "subprotocol":
            connection = HTTPConnection(with_bearer(connection.scope, token))
        return await self._told(connection)

    async def _told(self, connection: HTTPConnection) -> Told:
        if self._authenticate is None:
            return None
        told = self._authenticate(connection)
        return await told if inspect.isawaitable(told) else told

    def _check_page(self, connection: HTTPConnection) -> None:
        """A browser sends a cookie whoever's page it is that asks. Raises :class:`Refusal`."""
        headers = connection.headers
        origin = headers.get("origin")
        if origin is not None:
            ours = self._origins.allow(origin, headers.get("host", ""))
        else:
            ours = headers.get("sec-fetch-site") in ("same-origin", "none")
        if not ours:
            raise Refusal(Code.forbidden_origin)


def _tokens(auth: Auth) -> "Tokens | None":
    if auth.jwt is None:
        return None
    try:
        from .tokens import Tokens
    except ImportError:
        raise ConfigError('auth.jwt needs the extra "jwt": pip install "tokenwire[jwt]"') from None
    return Tokens(auth.jwt)
