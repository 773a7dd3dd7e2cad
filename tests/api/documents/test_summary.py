"""Sums and counts of the fleet and of each tier."""

from msgspec import structs

from realtime.api.documents.accounts import make_account_row
from realtime.api.documents.summary import make_summary
from realtime.core.cash_flows import NetFlows
from realtime.core.model import AccountLabel
from tests.api.documents.made import ACCOUNT, NOW, fleet


def test_tiers_add_up_to_the_fleet_and_total_pl_counts_what_is_known() -> None:
    store = fleet()
    for label, balance, net in (("alpha", "100000", "81.40"), ("delta", "10000", "0")):
        profile = structs.replace(
            store.records[AccountLabel(label)].profile, initial_balance=balance
        )
        store.set_profile(profile, now=NOW)
        flows = NetFlows(account_id=ACCOUNT.id, initial_balance=balance, net=net, read_at=NOW)
        store.set_net_flows(AccountLabel(label), flows, now=NOW)
    document = make_summary(
        [make_account_row(record) for record in store],
        {AccountLabel("echo")},
        as_of="",
        status="ok",
        accounts=4,
        synced=2,
        stale=2,
    )
    assert (document.total_pl, document.total_pl_accounts) == ("-800", 2)  # 200 − 1000
    basic, premium = document.by_tier["basic"], document.by_tier["premium"]
    assert (basic.total_pl, premium.total_pl) == ("-1000", "200")
    assert basic.accounts + premium.accounts == document.accounts
    assert basic.synced + premium.synced == document.synced
    assert basic.stale + premium.stale == document.stale
    assert basic.open_orders + premium.open_orders == document.open_orders


def test_accounts_without_a_tier_are_under_the_empty_name() -> None:
    record = next(iter(fleet()))
    record = structs.replace(record, profile=structs.replace(record.profile, tier=None))
    document = make_summary(
        [make_account_row(record)], (), as_of="", status="ok", accounts=1, synced=1, stale=0
    )
    assert list(document.by_tier) == [""]
