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


def test_account_is_found_by_both_parts_of_its_pair() -> None:
    """And no longer once it has other keys, or is not traded any more."""

    async def main() -> None:
        async with open_session(VirtualConnector()) as session:

            def make_account(key_id: str, secret_key: str) -> TradingAccount:
                keys = Credentials(Secret(key_id), Secret(secret_key))
                limiter = RateLimiter(FleetLimiter())
                http_client = HttpClient(session, "http://127.0.0.1:1", keys, limiter)
                rules = AccountRiskRules(label="")
                return TradingAccount(rules=rules, tier=None, http_client=http_client)

            accounts = TradingAccounts({}, make_client)
            accounts.add("alpha", make_account("PKA", "secret-a"))
            accounts.add("bravo", make_account("PKB", "secret-b"))
            assert accounts.find_by_keys("PKA", "secret-a") == "alpha"
            for pair in (("PKA", "secret-b"), ("PKB", "secret-a"), ("", ""), ("PKA", "")):
                assert accounts.find_by_keys(*pair) is None
            version = accounts.keys_version
            accounts.add("alpha", make_account("PKC", "secret-c"))
            assert accounts.keys_version > version
            assert accounts.find_by_keys("PKA", "secret-a") is None
            assert accounts.find_by_keys("PKC", "secret-c") == "alpha"
            version = accounts.keys_version
            accounts.remove("alpha")
            assert accounts.keys_version > version
            assert accounts.find_by_keys("PKC", "secret-c") is None
            assert accounts.find_by_keys("PKB", "secret-b") == "bravo"

    run(main)
