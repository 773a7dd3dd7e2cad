"""What the readers' edge may ask of the gateway, without knowing the broker behind it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from realtime.core.model import Order
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.order_request import OrderChanges, Placement
from realtime.orders.principal import Principal
from realtime.orders.results import AccountLiquidation, CanceledOrder, HaltState, Origin, Placed
from realtime.orders.routing import Candidate


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

    def begin(self, labels: Sequence[str], principal: Principal) -> None: ...

    def release(self, labels: Sequence[str], principal: Principal) -> list[str]: ...

    async def wait(self, labels: Sequence[str], wait_s: float) -> bool: ...


class GatewayInterface(Protocol):
    """Everything that moves money."""

    def candidates(self) -> list[Candidate]: ...

    def why_not(self, label: str, principal: Principal) -> Declined | None: ...

    def origin(self, label: str, order: Order) -> Origin: ...

    async def place(self, wish: Placement, principal: Principal, *, key: str | None) -> Placed: ...

    async def place_all(
        self, wishes: Sequence[Placement | Declined], principal: Principal, *, key: str | None
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
    ) -> Placed: ...

    async def find(
        self, label: str, client_order_id: str, principal: Principal
    ) -> Order | None: ...


class BudgetDocument(Struct, frozen=True, kw_only=True):
    """What is left of an account's requests to the broker, and who spent them."""

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
    def labels(self) -> Sequence[str]:
        """Accounts that can be traded, in the order of the configuration."""
        ...

    def budget(self, label: str) -> BudgetDocument | None:
        """The budget of an account that is followed; None for any other."""
        ...
