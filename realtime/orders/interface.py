"""What the HTTP API uses of the gateway, without knowing the broker behind it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from realtime.auth.principal import Principal
from realtime.core.model import Order
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.forwarding import ForwardedRequest, ForwardedResponse, StreamedResponse
from realtime.orders.order_request import OrderChanges, Placement
from realtime.orders.results import AccountLiquidation, CanceledOrder, HaltState, Origin, Placed
from realtime.orders.routing import Candidate, RoutingDecision, RoutingRequest


class KillSwitchInterface(Protocol):
    """The kill switch."""

    @property
    def state(self) -> HaltState: ...

    def halt(self, scope: str | None, *, reason: str, principal: str) -> HaltState: ...

    def resume(self, scope: str | None, *, principal: str) -> HaltState: ...


class LiquidationInterface(Protocol):
    """Accounts that are being closed."""

    @property
    def accounts(self) -> Mapping[str, AccountLiquidation]: ...

    def start(self, labels: Sequence[str], principal: Principal) -> None: ...

    def release(self, labels: Sequence[str], principal: Principal) -> list[str]: ...

    async def wait_until_flat(self, labels: Sequence[str], wait_s: float) -> bool: ...


class RouterInterface(Protocol):
    """Chooses accounts."""

    def choose(
        self, request: RoutingRequest, candidates: Sequence[Candidate], principal: Principal
    ) -> RoutingDecision: ...


class GatewayInterface(Protocol):
    """Everything that moves money."""

    @property
    def router(self) -> RouterInterface: ...

    def get_candidates(self) -> list[Candidate]: ...

    def find_refusal(self, label: str, principal: Principal) -> Declined | None: ...

    def get_origin(self, label: str, order: Order) -> Origin: ...

    async def place(
        self, request: Placement, principal: Principal, *, key: str | None
    ) -> Placed: ...

    async def place_all(
        self, requests: Sequence[Placement | Declined], principal: Principal, *, key: str | None
    ) -> list[Placed | Declined | Unresolved]: ...

    async def replace(
        self,
        label: str,
        order_id: str,
        changes: OrderChanges,
        principal: Principal,
        *,
        key: str | None,
    ) -> Placed: ...

    async def cancel(self, label: str, order_id: str, principal: Principal) -> None: ...

    async def cancel_all(
        self, labels: Sequence[str], principal: Principal
    ) -> list[CanceledOrder]: ...

    async def close_position(
        self,
        label: str,
        symbol: str,
        principal: Principal,
        *,
        qty: Decimal | None,
        percentage: Decimal | None,
        key: str | None,
        client_order_id: str | None = None,
    ) -> Placed: ...

    async def find(
        self, label: str, client_order_id: str, principal: Principal
    ) -> Order | None: ...


class ForwarderInterface(Protocol):
    """Passes requests of Alpaca's own clients on to the broker."""

    @property
    def keys_version(self) -> int:
        """Another number whenever a pair of keys may have become valid or invalid."""
        ...

    def find_by_keys(self, key_id: str, secret_key: str) -> str | None: ...

    def get_address(self, label: str) -> str: ...

    async def read(self, label: str, request: ForwardedRequest) -> ForwardedResponse: ...

    def open_stream(
        self, label: str, request: ForwardedRequest
    ) -> AbstractAsyncContextManager[StreamedResponse]: ...

    async def change(
        self,
        label: str,
        request: ForwardedRequest,
        principal: Principal,
        *,
        is_halted: bool = True,
    ) -> ForwardedResponse: ...


class BudgetDocument(Struct, frozen=True, kw_only=True):
    """What is left of an account's requests to the broker, and what used them."""

    account_id: str
    limit: int
    remaining: int
    orders: int
    reads: int
    others: int | None
    resets_in_s: float | None
    reads_paused_s: float


class TradingInterface(Protocol):
    """The gateway and what belongs to it."""

    @property
    def gateway(self) -> GatewayInterface: ...

    @property
    def kill_switch(self) -> KillSwitchInterface: ...

    @property
    def liquidations(self) -> LiquidationInterface: ...

    @property
    def forwarder(self) -> ForwarderInterface: ...

    @property
    def labels(self) -> Sequence[str]:
        """Accounts that can be traded, in the configuration's order."""
        ...

    def get_budget(self, label: str) -> BudgetDocument | None:
        """Return the budget of a followed account; None for any other."""
        ...
