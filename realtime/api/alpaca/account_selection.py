"""Which account a request of one of Alpaca's own clients is about, and what it may do there.

1. The account's own pair of keys. Its holder could do anything at the broker, so it may here.
2. `APCA-API-KEY-ID` is the account's label and `APCA-API-SECRET-KEY` one of our tokens: then the
   program holds no key of the broker. Its token decides what it may do.
3. `Authorization: Bearer` with a token that names one account, or with `X-Realtime-Account`.

HTTP Basic with a pair is the same as the two headers. Sockets have the same credentials in a
message, so nothing here reads a request but `read_credentials`.
"""

import base64
import binascii
from collections.abc import Mapping

from aiohttp.web_request import BaseRequest
from msgspec import Struct

from realtime.api.alpaca.errors import (
    AlpacaError,
    error_response,
    problem_response,
    unauthorized,
)
from realtime.api.problems import Problem, quote
from realtime.api.security.authenticator import Authenticator
from realtime.api.security.rejections import RejectionLog, RequestSource
from realtime.auth.principal import LOCAL, Permission, Principal
from realtime.orders.interface import ForwarderInterface
from realtime.store.store import Store

KEY_HEADER = "APCA-API-KEY-ID"
SECRET_HEADER = "APCA-API-SECRET-KEY"
ACCOUNT_HEADER = "X-Realtime-Account"

OAUTH = "oauth"
"""What stands in the place of a key id where the secret is a token (Alpaca's data streams)."""

KEY_PERMISSIONS: frozenset[Permission] = frozenset({"account_access", "market_data", "trading"})


class ClientCredentials(Struct, frozen=True, kw_only=True):
    """What a client sent, unchecked. It has no `repr` of its values."""

    key_id: str = ""
    secret_key: str = ""
    token: str = ""
    account: str = ""
    """The account that a token of several is for."""
    is_ambiguous: bool = False
    """Whether a header was repeated: a proxy may have checked the other one."""

    def __repr__(self) -> str:
        return "ClientCredentials(***)"


class Caller(Struct, frozen=True, kw_only=True):
    """An account, and who uses it."""

    label: str
    principal: Principal
    has_keys: bool = False
    """Whether the caller has shown the account's own pair, so may do what the broker lets it do."""


class AccountSelector:
    """Selects accounts by credentials."""

    def __init__(
        self,
        store: Store,
        forwarder: ForwarderInterface,
        authenticator: Authenticator,
        rejections: RejectionLog,
    ) -> None:
        self._store = store
        self._forwarder = forwarder
        self._authenticator = authenticator
        self._rejections = rejections

    @property
    def keys_version(self) -> int:
        """Another number whenever a pair of keys may have become valid or invalid."""
        return self._forwarder.keys_version

    def select(
        self,
        credentials: ClientCredentials,
        permission: Permission,
        request: BaseRequest,
    ) -> Caller:
        """Return the account, and the caller with this permission. Raises `AlpacaError`.

        `request` is for the log: that of the handshake, for a socket.
        """
        try:
            caller = self._find(credentials)
        except Problem as problem:
            self._reject(problem, request)
            raise AlpacaError(problem_response(problem)) from problem
        except AlpacaError:
            self._reject(Problem("token_invalid", "no account has these keys"), request)
            raise
        if not caller.principal.has_permission(permission):
            missing = Problem("permission_missing", f"the token lacks `{permission}`")
            self._reject(missing, request)
            raise AlpacaError(problem_response(missing))
        return caller

    def is_allowed(self, credentials: ClientCredentials, label: str) -> bool:
        """Whether credentials that selected an account still do; counts no request."""
        try:
            caller = self._find(credentials, is_counted=False)
        except (AlpacaError, Problem):
            return False
        return caller.label == label and caller.principal.has_permission("account_access")

    def _reject(self, problem: Problem, request: BaseRequest) -> None:
        """Log a rejection, and count it: guessing keys has a share of an address's requests."""
        source = RequestSource(client=request.remote, method=request.method, path=request.path)
        self._rejections.record(problem, source)
        try:
            self._authenticator.acquire_by_address(request)
        except Problem as too_many:
            raise AlpacaError(problem_response(too_many)) from too_many

    def _find(self, credentials: ClientCredentials, *, is_counted: bool = True) -> Caller:
        if credentials.is_ambiguous:
            raise Problem("token_invalid", "a header with credentials is repeated")
        if credentials.token or credentials.key_id == OAUTH:
            return self._find_by_token(credentials, is_counted=is_counted)
        if not (credentials.key_id and credentials.secret_key):
            raise AlpacaError(unauthorized())
        label = self._forwarder.find_by_keys(credentials.key_id, credentials.secret_key)
        if label is not None and self._store.get(label) is not None:
            return Caller(label=label, principal=make_key_principal(label), has_keys=True)
        if self._store.get(credentials.key_id) is None:
            raise AlpacaError(unauthorized())
        principal = self._verify(credentials.secret_key, is_counted=is_counted)
        if not principal.can_see(credentials.key_id):
            raise AlpacaError(unauthorized())
        return Caller(label=credentials.key_id, principal=principal)

    def _find_by_token(self, credentials: ClientCredentials, *, is_counted: bool) -> Caller:
        if self._authenticator.rules.verifier is None:
            raise Problem("token_invalid", "this daemon has no [auth], so it knows no tokens")
        principal = self._verify(credentials.token or credentials.secret_key, is_counted=is_counted)
        wanted = credentials.account
        visible = [label for label in self._store.records if principal.can_see(label)]
        if wanted:
            visible = [label for label in visible if label == wanted]
        if len(visible) == 1:
            return Caller(label=visible[0], principal=principal)
        if wanted:
            raise AlpacaError(error_response(403, f"realtime: no account '{quote(wanted)}'"))
        names = f"the token names {len(visible)} accounts: set the header {ACCOUNT_HEADER}"
        raise AlpacaError(error_response(403, f"realtime: {names}"))

    def _verify(self, token: str, *, is_counted: bool) -> Principal:
        """Return the principal of a token, and count its request if it is one. Raises `Problem`.

        Without `[auth]` every program of this machine may trade, so a label is enough.
        """
        if self._authenticator.rules.verifier is None:
            return LOCAL
        principal = self._authenticator.verify_token(token)
        if is_counted:
            self._authenticator.count_request(principal)
        return principal


def read_credentials(request: BaseRequest) -> ClientCredentials:
    """Return what the headers of a request contain."""
    names = (KEY_HEADER, SECRET_HEADER, "Authorization", ACCOUNT_HEADER)
    values = {name: request.headers.getall(name, []) for name in names}
    if any(len(found) > 1 for found in values.values()):
        return ClientCredentials(is_ambiguous=True)
    headers = {name: found[0] for name, found in values.items() if found}
    account = headers.get(ACCOUNT_HEADER, "")
    if KEY_HEADER in headers or SECRET_HEADER in headers:
        # A pair and a token at once: whose request it is would be a guess.
        return ClientCredentials(
            key_id=headers.get(KEY_HEADER, ""),
            secret_key=headers.get(SECRET_HEADER, ""),
            account=account,
            is_ambiguous="Authorization" in headers,
        )
    return _read_authorization(headers, account)


def _read_authorization(headers: Mapping[str, str], account: str) -> ClientCredentials:
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return ClientCredentials(token=value, account=account)
    if scheme.lower() == "basic":
        try:
            key_id, _, secret_key = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return ClientCredentials()
        return ClientCredentials(key_id=key_id, secret_key=secret_key)
    return ClientCredentials()


def make_key_principal(label: str) -> Principal:
    """Return the caller that holds an account's own pair: it may use this account only."""
    return Principal(
        user_id=f"key:{label}", accounts=frozenset({label}), permissions=KEY_PERMISSIONS
    )
