"""The sections `[books]` and `[tiers.*]`: parts of an account, and bounds of kinds of accounts."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from realtime.config import validators as values
from realtime.config.problems import dotted, shown
from realtime.config.settings import TierBounds

if TYPE_CHECKING:  # the reader imports this module
    from realtime.config.accounts_file import AccountsFileReader

MAX_BOOKS = 100
OTHER = "other"
PREFIX = re.compile(r"[!-~]{1,48}")
"""The broker takes ids of 128 letters; a prefix leaves room for what makes them unique."""

TIER = {
    "risk_pct": values.percentage,
    "max_contracts": values.whole(1, 1_000_000),
    "watched": values.some_of("stocks", "options", "crypto"),
}


def read_books(table: object, reader: "AccountsFileReader") -> dict[str, str]:
    """Book → prefix of `client_order_id`."""
    if not isinstance(table, dict):
        reader.add_problem(f"books: expected a table, got {shown(table)}")
        return {}
    if len(table) > MAX_BOOKS:
        reader.add_problem(f"books: expected at most {MAX_BOOKS}, got {len(table)}")
        return {}
    books: dict[str, str] = {}
    for name, prefix in table.items():
        if not values.LABEL.fullmatch(name) or name == OTHER:
            remedy = "letters, digits, _ or -; `other` is what no prefix names"
            reader.add_problem(f"{dotted('books', name)}: not a name of a book", remedy)
        elif not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
            reader.add_problem(
                f'{dotted("books", name)}: expected a prefix such as "mom-", got {shown(prefix)}'
            )
        elif prefix in books.values():
            reader.add_problem(
                f"{dotted('books', name)}: another book has this prefix", "give each its own"
            )
        else:
            books[name] = prefix
    return books


def read_tiers(table: object, reader: "AccountsFileReader") -> Mapping[str, TierBounds]:
    """Tier → its bounds."""
    if not isinstance(table, dict):
        reader.add_problem(f"tiers: expected tables, got {shown(table)}")
        return {}
    return {
        str(name): TierBounds(**reader.read_table(bounds, TIER, "tiers", str(name)))
        for name, bounds in table.items()
    }
