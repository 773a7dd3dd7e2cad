"""The accounts that can be traded, and how they come and go while the daemon runs."""

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct, structs

from realtime.broker.http_client import HttpClient
from realtime.orders.order_client import Learn, OrderClient
from realtime.orders.risk import AccountRiskRules


class TradingAccount(Struct, frozen=True, kw_only=True):
    """One account that can be traded."""

    permit: AccountRiskRules
    tier: str | None
    channel: HttpClient
    learn: Learn = lambda order: None
    """Told every order that the broker tells of."""


class TradingAccounts:
    """What gateway and guards look at, changed in one place only."""

    def __init__(
        self,
        seats: Mapping[str, TradingAccount],
        make: Callable[[str, TradingAccount], OrderClient],
    ) -> None:
        self.taken: dict[str, TradingAccount] = {}
        self.dealers: dict[str, OrderClient] = {}
        self.permits: dict[str, AccountRiskRules] = {}
        self._make = make
        for label, seat in seats.items():
            self.take(label, seat)

    @property
    def connections(self) -> Mapping[str, int]:
        """Address of a broker → how many connections orders may use there at one time."""
        wanted: Counter[str] = Counter()
        for seat in self.taken.values():
            wanted[seat.channel.base] += seat.channel.pacer.orders_at_once
        return wanted

    def take(self, label: str, seat: TradingAccount) -> None:
        """Trade an account from now on, or by other keys; orders under way end by the old ones."""
        known = self.dealers.get(label)
        if known is None or known.trade.channel is not seat.channel:
            self.dealers[label] = self._make(label, seat)
        self.taken[label] = seat
        self.permits[label] = seat.permit

    def leave(self, label: str) -> None:
        """Trade an account no more: its dealer answers for what is under way, no more."""
        if self.taken.pop(label, None) is not None:
            permit = self.permits[label]
            limits = structs.replace(permit.limits, enabled=False)
            self.permits[label] = structs.replace(permit, limits=limits)
