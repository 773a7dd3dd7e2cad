from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.auth.keys import Key
from realtime.auth.tokens import TokenRules
from realtime.config.settings import (
    AccountSettings,
    AuthSettings,
    LimitsSettings,
    OrderLimits,
    ServerSettings,
    Settings,
)
from realtime.config.settings_diff import CHANGE_KINDS, SettingsDiff, compare
from realtime.secret import Credentials, Secret


def account(label: str = "alpha", key: str = "k", **fields: object) -> AccountSettings:
    keys = Credentials(Secret(f"{key}-id"), Secret(f"{key}-secret"), "secrets.toml")
    base = AccountSettings(label=label, trading_url="https://x.example", credentials=keys)
    return structs.replace(base, **fields)


def settings(*accounts: AccountSettings, **fields: object) -> Settings:
    return structs.replace(Settings(path=Path("accounts.toml"), accounts=accounts), **fields)


TABLE = {
    "nothing": (account(), account(), None),
    "where the key was found": (
        account(),
        account(credentials=Credentials(Secret("k-id"), Secret("k-secret"), "environment")),
        None,
    ),
    "a name": (account(), account(name="A"), "described"),
    "a tier": (account(), account(tier="t"), "described"),
    "caps on orders": (account(), account(orders=OrderLimits(enabled=False)), "described"),
    "keys": (account(), account(key="other"), "rotated"),
    "keys and a name": (account(), account(key="other", name="A"), "rotated"),
    "keys and connections": (account(), account(key="other", max_connections=9), "restarted"),
    "switched off": (account(), account(enabled=False, credentials=None), "restarted"),
    "switched on": (account(enabled=False, credentials=None), account(), "restarted"),
    "a number that was not written": (account(), account(account_number="PA1"), "restarted"),
    "a number that is another": (
        account(account_number="PA1"),
        account(account_number="PA2", key="other"),
        "exchanged",
    ),
    "real money": (account(), account(paper=False, key="other"), "exchanged"),
    "another broker": (account(), account(trading_url="https://y.example"), "exchanged"),
    "a new one": (None, account(), "added"),
    "an old one": (account(), None, "removed"),
}


@pytest.mark.parametrize("what", TABLE)
def test_kind_of_change(what: str) -> None:
    old, new, how = TABLE[what]
    other = account("other")
    before = settings(*(each for each in (old, other) if each))
    after = settings(*(each for each in (other, new) if each))
    changes = compare(before, after)
    assert changes == structs.replace(
        SettingsDiff(unchanged=1 if how else 2), **({how: ("alpha",)} if how else {})
    )
    assert changes.is_empty == (how is None)


accounts = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(st.sampled_from(["k1", "k2"]), st.sampled_from([None, "n"])),
)


@given(accounts, accounts)
def test_every_changed_account_is_listed_once(
    old: dict[str, tuple[str, str | None]], new: dict[str, tuple[str, str | None]]
) -> None:
    before, after = (
        settings(*(account(label, key, name=name) for label, (key, name) in each.items()))
        for each in (old, new)
    )
    changes = compare(before, after)
    named = [label for how in CHANGE_KINDS for label in getattr(changes, how)]
    assert len(named) == len(set(named))
    assert len(named) + changes.unchanged == len(old.keys() | new.keys())
    assert compare(before, before).is_empty


def test_settings_that_need_a_restart_are_listed() -> None:
    old = settings(account())
    new = settings(
        account(),
        server=ServerSettings(port=1),
        limits=LimitsSettings(requests_per_s=1),
        auth=AuthSettings(),
    )
    assert compare(old, new).needs_restart == ("server.port", "limits.requests_per_s", "auth")


def test_token_keys_need_no_restart() -> None:
    one = AuthSettings(keys=(Key(algorithm="HS256", material=b"1"),))
    other = AuthSettings(
        keys=(Key(algorithm="HS256", material=b"2"),), rules=TokenRules(issuer="us")
    )
    changes = compare(settings(auth=one), settings(auth=other))
    assert changes.needs_restart == ()
    wider = compare(settings(auth=one), settings(auth=structs.replace(one, open_ops=True)))
    assert wider.needs_restart == ("auth.open_ops",)


def test_a_diff_contains_no_key() -> None:
    changes = compare(settings(account()), settings(account(key="other")))
    assert b"other" not in msgspec.json.encode(changes)
