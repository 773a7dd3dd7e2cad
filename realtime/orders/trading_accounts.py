"""The accounts that can be traded, and how they come and go while the daemon runs."""

from collections import Counter
from collections.abc import Callable, Mapping

from msgspec import Struct, structs

from realtime.broker.http_client import HttpClient
from realtime.orders.order_client import OnOrder, OrderClient
from realtime.orders.risk import AccountRiskRules


class TradingAccount(Struct, frozen=True, kw_only=True):
    """One account that can be traded."""

    rules: AccountRiskRules
    tier: str | None
    http_client: HttpClient
    on_order: OnOrder = lambda order: None
    """Called with every order that the broker returns."""


class TradingAccounts:
    """What the gateway and the risk checks use, changed in one place only."""

    def __init__(
        self,
        accounts: Mapping[str, TradingAccount],
        make_client: Callable[[str, TradingAccount], OrderClient],
    ) -> None:
        self.accounts: dict[str, TradingAccount] = {}
        self.order_clients: dict[str, OrderClient] = {}
        self.rules: dict[str, AccountRiskRules] = {}
        self.keys_version = 0
        """Rises whenever an account gets other keys, or is no longer traded."""
        self._labels: dict[str, dict[str, None]] = {}
        """key id → labels: brokers on several hosts may have given out the same id"""
        self._key_ids: dict[str, str] = {}
        """label → its key id"""
        self._make_client = make_client
        for label, account in accounts.items():
            self.add(label, account)

    @property
    def connections(self) -> Mapping[str, int]:
        """Address of a broker → how many connections orders may use there at one time."""
        connections: Counter[str] = Counter()
        for account in self.accounts.values():
            connections[account.http_client.base_url] += account.http_client.limiter.orders_at_once
        return connections

    def add(self, label: str, account: TradingAccount) -> None:
        """Trade an account from now on, or with other keys; orders in flight end with the old."""
        order_client = self.order_clients.get(label)
        if order_client is None or order_client.api.http is not account.http_client:
            self.order_clients[label] = self._make_client(label, account)
        self.accounts[label] = account
        self.rules[label] = account.rules
        self._index_key(label, account.http_client.key_id.reveal())

    def find_by_keys(self, key_id: str, secret_key: str) -> str | None:
        """Return the label of the account that has this pair of keys; None if there is none."""
        for label in self._labels.get(key_id, ()):
            if self.accounts[label].http_client.has_credentials(key_id, secret_key):
                return label
        return None

    def remove(self, label: str) -> None:
        """Trade an account no longer; its client still handles what is in flight."""
        if self.accounts.pop(label, None) is not None:
            rules = self.rules[label]
            limits = structs.replace(rules.limits, enabled=False)
            self.rules[label] = structs.replace(rules, limits=limits)
            self._index_key(label, None)

    def _index_key(self, label: str, key_id: str | None) -> None:
        before = self._key_ids.pop(label, None)
        if before is not None:
            del self._labels[before][label]
            if not self._labels[before]:
                del self._labels[before]
        if key_id is not None:
            self._key_ids[label] = key_id
            self._labels.setdefault(key_id, {})[label] = None
        self.keys_version += 1
