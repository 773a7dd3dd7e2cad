"""Requests of Alpaca's own clients that have no handler here: passed on to the broker as they are.

A read is only limited. A request that may change something also needs everything an order needs
that can be checked without knowing what it does: the permission, trading that is switched on, no
halt, a line in the journal before it leaves. Nothing is repeated.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct

from realtime.auth.principal import Principal
from realtime.broker.http_client import ForwardedResponse, HttpClient, StreamedResponse
from realtime.errors import LinkError, NotSent
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.journal import Journal
from realtime.orders.order_client import to_read_refusal
from realtime.orders.risk import RiskChecks
from realtime.orders.trading_accounts import TradingAccounts

__all__ = [
    "ForwardedRequest",
    "ForwardedResponse",
    "Forwarder",
    "StreamedResponse",
]  # `api` knows no broker

READ_TIMEOUT_S = 15.0
"""Limit of a read: a full list of assets takes two seconds."""

WRITE_TIMEOUT_S = 6.5
"""Limit of a change. The client is answered within 8 s: Alpaca's Go client gives up after 10."""

READ_METHODS = frozenset({"GET", "HEAD"})


class ForwardedRequest(Struct, frozen=True, kw_only=True):
    """What is passed on."""

    method: str
    target: str
    """Raw path with the query, as the client sent it."""
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing (RFC 9110 section 9.2.1)."""
        return self.method in READ_METHODS


class Forwarder:
    """Passes requests on, with the account's own key and within its budget."""

    def __init__(
        self,
        accounts: TradingAccounts,
        risk_checks: RiskChecks,
        journal: Journal,
        check_halt: Callable[[str], None],
        check_token: Callable[[Principal], None],
    ) -> None:
        self._accounts = accounts
        self._risk_checks = risk_checks
        self._journal = journal
        self._check_halt = check_halt
        self._check_token = check_token

    @property
    def keys_version(self) -> int:
        """Another number whenever a pair of keys may have become valid or invalid."""
        return self._accounts.keys_version

    def find_by_keys(self, key_id: str, secret_key: str) -> str | None:
        """Return the account that has this pair of keys; None if there is none."""
        return self._accounts.find_by_keys(key_id, secret_key)

    def get_address(self, label: str) -> str:
        """Return the address of an account's broker. Raises `Declined`."""
        return self._get_client(label).base_url

    async def read(self, label: str, request: ForwardedRequest) -> ForwardedResponse:
        """Pass on a read. Raises `Declined`: nothing was changed."""
        client = self._get_client(label)
        try:
            return await client.forward(
                request.method,
                request.target,
                request.headers,
                b"",
                "forward",
                timeout_s=READ_TIMEOUT_S,
            )
        except LinkError as error:
            raise to_read_refusal(error) from error

    @asynccontextmanager
    async def open_stream(
        self, label: str, request: ForwardedRequest
    ) -> AsyncIterator[StreamedResponse]:
        """Pass on a GET whose response may be endless. Raises `Declined` before the response, and
        `LinkError` while it is read."""
        client = self._get_client(label)
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(
                    client.open_stream(
                        request.target, request.headers, "forward", timeout_s=READ_TIMEOUT_S
                    )
                )
            except LinkError as error:
                raise to_read_refusal(error) from error
            yield response

    async def change(
        self,
        label: str,
        request: ForwardedRequest,
        principal: Principal,
        *,
        is_halted: bool = True,
    ) -> ForwardedResponse:
        """Pass on a request that may change something; `is_halted`: the kill switch stops it.

        Raises `Declined` if it never left, `Unresolved` if its result is unknown.
        """
        client = self._get_client(label)
        path = request.target.partition("?")[0]
        facts = {
            "account": label,
            "principal": principal.user_id,
            "message": f"{request.method} {path}",
        }
        has_left = False

        def check() -> None:
            self._check_token(principal)
            self._risk_checks.check_may_trade(label, principal)
            if is_halted:
                self._check_halt(label)

        def before_send() -> None:
            nonlocal has_left
            check()
            self._journal.write("forward.intended", facts)
            has_left = True

        check()
        try:
            response = await client.forward(
                request.method,
                request.target,
                request.headers,
                request.body,
                "order",
                timeout_s=WRITE_TIMEOUT_S,
                before_send=before_send,
            )
        except LinkError as error:
            self._journal.note("forward.failed", {**facts, "message": error.message})
            if isinstance(error, NotSent) or not has_left:
                raise to_read_refusal(error) from error
            raise Unresolved(error.message, account_id=label, client_order_id=None) from error
        self._journal.note("forward.answered", {**facts, "status": response.status})
        return response

    def _get_client(self, label: str) -> HttpClient:
        account = self._accounts.accounts.get(label)
        if account is None:
            raise Declined("unknown_account", f"no account '{label[:64]}'")
        return account.http_client
