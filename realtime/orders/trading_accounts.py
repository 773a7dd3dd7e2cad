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
        trading_accounts: Mapping[str, TradingAccount],
        make: Callable[[str, TradingAccount], OrderClient],
    ) -> None:
        self.taken: dict[str, TradingAccount] = {}
        self.order_clients: dict[str, OrderClient] = {}
        self.permits: dict[str, AccountRiskRules] = {}
        self._make = make
        for label, trading_account in trading_accounts.items():
            self.take(label, trading_account)

    @property
    def connections(self) -> Mapping[str, int]:
        """Address of a broker → how many connections orders may use there at one time."""
        wanted: Counter[str] = Counter()
        for trading_account in self.taken.values():
            wanted[trading_account.channel.base_url] += (
                trading_account.channel.limiter.orders_at_once
            )
        return wanted

    def take(self, label: str, trading_account: TradingAccount) -> None:
        """Trade an account from now on, or by other keys; orders under way end by the old ones."""
        known = self.order_clients.get(label)
        if known is None or known.trade.http is not trading_account.channel:
            self.order_clients[label] = self._make(label, trading_account)
        self.taken[label] = trading_account
        self.permits[label] = trading_account.permit

    def leave(self, label: str) -> None:
        """Trade an account no more: its dealer answers for what is under way, no more."""
        if self.taken.pop(label, None) is not None:
            permit = self.permits[label]
            limits = structs.replace(permit.limits, enabled=False)
            self.permits[label] = structs.replace(permit, limits=limits)
