"""`[orders]` and what accounts and users have of their own."""

from pathlib import Path

import pytest

from realtime.config import load
from realtime.config.settings import OrderLimits
from tests.config.conftest import KEYS, Folder

A = "[accounts.alpha]\n"


def test_limits_of_all_accounts_one_account_and_a_user(folder: Folder) -> None:
    settings = folder.load(
        "[orders]\nlive = true\nmax_notional = '5000'\naudit_log = 'log/audit.jsonl'\n"
        "[orders.users.bot]\nmax_orders_per_minute = 3\nsymbols = ['AAPL', 'BTC/USD']\n"
        f"{A}[accounts.alpha.orders]\nsides = ['sell']\n"
    )
    assert settings.orders.live
    assert settings.orders.limits == OrderLimits(max_notional="5000")
    assert settings.orders.users == {
        "bot": OrderLimits(max_orders_per_minute=3, symbols=("AAPL", "BTC/USD"))
    }
    assert settings.orders.audit_log == Path("log/audit.jsonl")
    assert settings.accounts[0].orders == OrderLimits(sides=("sell",))


def test_real_money_orders_must_be_explicit(folder: Folder) -> None:
    assert not folder.load(A).orders.live


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[orders]\nmax_notional = 5000", "orders.max_notional: expected a decimal in quotes"),
        ("[orders]\nmax_notionl = '5'", "orders.max_notionl: unknown key"),
        ("[orders]\nsides = ['hold']", "orders.sides: expected"),
        ("[orders.users]\nbot = 1", "orders.users.bot: expected a table"),
        ("[orders.users.bot]\nlive = true", "orders.users.bot.live: unknown key"),
        ("[orders.users.bot]\nsymbols = []", "orders.users.bot.symbols: expected a list"),
    ],
)
def test_mistakes_are_reported_with_their_place(
    folder: Folder, content: str, expected: str
) -> None:
    assert expected in folder.complaint(f"{content}\n{A}")


def test_the_flag_wins_over_the_file(folder: Folder) -> None:
    folder.write("accounts.toml", f"[orders]\naudit_log = 'of-file'\n{A}")
    settings = load(None, environ=KEYS, audit_log=Path("of-flag"))
    assert settings.orders.audit_log == Path("of-flag")
