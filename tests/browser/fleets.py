"""Fleets that strain a page: long labels, large sums, real money, deposits, unread accounts."""

from msgspec import structs

from realtime.core.model import Account, AccountLabel
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, LIVE, LOST, NOW, REFUSED, state_of

LONGEST = "momentum_crossover_large_caps_rebalanced_daily_hedged_v2_us_2026"
"""64 letters, as many as a label may have."""

LARGE = "98765392200.55"


def account(equity: str, last_equity: str | None = None, **fields: str) -> Account:
    """An account with this much money."""
    last = equity if last_equity is None else last_equity
    money = {"cash": equity, "buying_power": equity, **fields}
    return structs.replace(ACCOUNT, equity=equity, last_equity=last, **money)


def add(store: Store, label: str, money: Account, *, paper: bool = True) -> AccountLabel:
    """Add a synced account that was read."""
    name = AccountLabel(label)
    profile = Profile(label=name, name=label.title(), tier="premium", paper=paper)
    store.add(profile, now=NOW - 100)
    store.update(name, now=NOW - 10, link=LIVE, state=structs.replace(state_of(), account=money))
    return name


def strained(count: int) -> Store:
    """Accounts with labels of 64 letters and sums of 11 digits, one of them with real money."""
    store = Store(boot="b00t")
    for number in range(count):
        label = f"{number:04}_{LONGEST[5:]}"
        money = account(LARGE, "98765192150.05", buying_power="395061568802.20")
        add(store, label, money, paper=number != 1)
    if count > 2:
        store.update(AccountLabel(f"0002_{LONGEST[5:]}"), now=NOW, link=LOST)
        store.update(AccountLabel(f"0003_{LONGEST[5:]}"), now=NOW, link=REFUSED)
    return store
