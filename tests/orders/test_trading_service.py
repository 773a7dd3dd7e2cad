"""What the gateway reads from the store: synced positions, prices, classes, restrictions."""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from realtime.broker.http_client import HttpClient, open_session
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Position, Symbol
from realtime.core.state import EMPTY
from realtime.errors import ConfigError
from realtime.orders.journal import Journal
from realtime.orders.risk import AccountRiskRules, RiskRules
from realtime.orders.trading_accounts import TradingAccount
from realtime.orders.trading_service import TradingService, open_trading_service
from realtime.secret import Credentials, Secret
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.virtual import VirtualConnector, run, wall_clock

AMD = Position(symbol=Symbol("AMD"), qty="5", current_price="100", asset_class="us_equity")
COIN = Position(symbol=Symbol("BTCUSD"), qty="1", current_price="50000", asset_class="crypto")


def make_store(*, is_synced: bool = True, **account: object) -> Store:
    store = Store(boot="b")
    label = AccountLabel("alpha")
    store.add(Profile(label=label), now=0.0)
    fields = {"id": "a", "account_number": "PA0EXAMPLE01", **account}
    state = msgspec.structs.replace(
        EMPTY,
        account=msgspec.convert(fields, Account),
        positions={AMD.symbol: AMD, COIN.symbol: COIN},
    )
    link = Link(state="synced" if is_synced else "waiting", stale_reason=None)
    store.update(label, now=1.0, state=state, link=link)
    return store


def open_and_check(
    store: Store | None, check: Callable[[TradingService], None], journal: Path | None = None
) -> None:
    async def main() -> None:
        async with open_session(VirtualConnector()) as session:
            credentials = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))
            limiter = RateLimiter(FleetLimiter())
            account = TradingAccount(
                rules=AccountRiskRules(label="alpha"),
                tier="premium",
                http_client=HttpClient(session, "http://127.0.0.1:1", credentials, limiter),
            )
            async with open_trading_service(
                {"alpha": account},
                rules=RiskRules(),
                audit_log=journal,
                clock=wall_clock,
                rng=random.Random(1),
                store=store,
            ) as service:
                check(service)

    run(main)


@pytest.mark.parametrize(("is_synced", "qty"), [(True, "5"), (False, None)])
def test_positions_count_only_while_the_account_is_synced(is_synced: bool, qty: str | None) -> None:
    def check(service: TradingService) -> None:
        get_position = service.gateway.order_clients["alpha"].get_position
        assert get_position is not None
        position = get_position("AMD")
        assert (None if position is None else position.qty) == qty
        absent = get_position("KO")
        assert (None if absent is None else absent.qty) == ("0" if is_synced else None)

    open_and_check(make_store(is_synced=is_synced), check)


def test_without_a_store_only_the_broker_knows_positions() -> None:
    def check(service: TradingService) -> None:
        assert service.gateway.order_clients["alpha"].get_position is None
        assert service.gateway.get_candidates()[0].is_synced

    open_and_check(None, check)


def test_the_class_of_an_ambiguous_symbol_is_that_of_its_position() -> None:
    def check(service: TradingService) -> None:
        get_class = service.gateway.risk_checks.asset_class_of
        assert (get_class("BTCUSD"), get_class("ETHUSD"), get_class("AMD")) == (
            "crypto",
            None,
            None,
        )

    open_and_check(make_store(), check)


def test_a_candidate_has_the_restriction_of_its_account() -> None:
    def check(service: TradingService) -> None:
        (candidate,) = service.gateway.get_candidates()
        assert (candidate.tier, candidate.restriction) == ("premium", "trading_blocked")

    open_and_check(make_store(trading_blocked=True), check)


def test_a_second_service_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"

    def check(_: TradingService) -> None:
        with pytest.raises(ConfigError, match="another daemon"):
            list(Journal(path, wall_clock, is_exclusive=True).read())

    open_and_check(None, check, path)
    open_and_check(None, lambda _: None, path)
