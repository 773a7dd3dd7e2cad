"""Accounts come and go: what is in flight ends with the keys it was sent with."""

from realtime.broker.http_client import HttpClient, open_session
from realtime.broker.order_api import OrderApi
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.orders.order_client import OrderClient
from realtime.orders.risk import AccountRiskRules
from realtime.orders.trading_accounts import TradingAccount, TradingAccounts
from realtime.secret import Credentials, Secret
from tests.virtual import VirtualConnector, run


def make_client(label: str, account: TradingAccount) -> OrderClient:
    return OrderClient(label, OrderApi(account.http_client))


def test_an_account_keeps_its_client_until_its_keys_change() -> None:
    async def main() -> None:
        async with open_session(VirtualConnector()) as session:

            def make_account(key: str, places: int = 4) -> TradingAccount:
                limiter = RateLimiter(FleetLimiter(), orders_at_once=places)
                credentials = Credentials(Secret(key), Secret(key))
                http_client = HttpClient(session, "http://127.0.0.1:1", credentials, limiter)
                rules = AccountRiskRules(label="alpha")
                return TradingAccount(rules=rules, tier=None, http_client=http_client)

            first = make_account("one")
            accounts = TradingAccounts({"alpha": first}, make_client)
            client = accounts.order_clients["alpha"]
            accounts.add("alpha", first)
            assert accounts.order_clients["alpha"] is client
            assert dict(accounts.connections) == {"http://127.0.0.1:1": 4}
            accounts.add("alpha", make_account("two", places=2))
            assert accounts.order_clients["alpha"] is not client
            assert dict(accounts.connections) == {"http://127.0.0.1:1": 2}

            accounts.remove("alpha")
            assert not accounts.accounts
            assert not accounts.connections
            assert not accounts.rules["alpha"].limits.enabled
            assert "alpha" in accounts.order_clients, "it still handles what is in flight"
            accounts.remove("alpha")

    run(main)
