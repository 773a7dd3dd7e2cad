"""What a symbol is, by its spelling: stock, option or coin; and when two spellings are one symbol.

Sources: Alpaca's assets and options references; the OCC's symbology (root, date, call or put,
strike × 1000). A coin's pair has a slash in orders (`BTC/USD`) and none in positions (`BTCUSD`).
"""

import re
from typing import Literal

AssetKind = Literal["stock", "option", "crypto", "mleg", "unclear"]
"""`unclear`: the spelling fits a coin and a stock; the broker decides."""

MAX_SYMBOL_LENGTH = 24
"""An option's symbol has up to 21 letters; an asset's id, which guards could not judge, has 32."""

SYMBOL_PATTERN = r"^[A-Za-z0-9]+(?:[./-][A-Za-z0-9]+)*(?!\n)$"
"""Letters and digits, with single separators between them. `$` alone would also match before a
line ending; the look-ahead is understood by Python and by OpenAPI clients alike."""

ORDER_ID_PATTERN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The broker's order ids are UUIDs in small letters."""

OPTION = re.compile(r"[A-Z0-9.]{1,6}[0-9]{6}[CP][0-9]{8}")
QUOTE_CURRENCIES = ("USDT", "USDC", "USD", "BTC", "ETH")
"""What coins are paid in; `USDT` before `USD`, because the first match counts."""
DOLLARS = ("USD", "USDC", "USDT")
"""Of these, dollars and what is worth one."""
_SYMBOL = re.compile(SYMBOL_PATTERN)
_PAIR_WITHOUT_SLASH = re.compile(rf"([A-Z0-9]{{2,10}})({'|'.join(QUOTE_CURRENCIES)})")
MIN_PAIR_LENGTH = 6
"""Stocks have up to five letters before any separator."""

KIND_OF_CLASS: dict[str, AssetKind] = {
    "us_equity": "stock",
    "us_option": "option",
    "crypto": "crypto",
    "crypto_perp": "crypto",
}
"""The broker's `asset_class` → kind."""


def is_symbol(text: str) -> bool:
    """Whether a text has the form of a symbol."""
    return len(text) <= MAX_SYMBOL_LENGTH and _SYMBOL.fullmatch(text) is not None


def is_order_id(text: str) -> bool:
    """Whether a text has the form of the broker's order id."""
    return ORDER_ID_PATTERN.fullmatch(text) is not None


def get_symbol_kind(symbol: str, asset_class: str | None = None) -> AssetKind:
    """Return what a symbol stands for: by the broker's `asset_class`, else by its spelling."""
    if kind := KIND_OF_CLASS.get(asset_class or ""):
        return kind
    if OPTION.fullmatch(symbol):
        return "option"
    if "/" in symbol:
        return "crypto"
    return "unclear" if may_be_pair(symbol) else "stock"


def may_be_pair(symbol: str) -> bool:
    """Whether a symbol without a slash may be a coin's pair, such as `BTCUSD`."""
    return len(symbol) >= MIN_PAIR_LENGTH and _PAIR_WITHOUT_SLASH.fullmatch(symbol) is not None


def add_slash(symbol: str) -> str:
    """Spell a coin's pair as orders do: `ETHUSD` → `ETH/USD`."""
    if "/" not in symbol:
        for quote in QUOTE_CURRENCIES:
            if symbol.endswith(quote) and symbol != quote:
                return f"{symbol.removesuffix(quote)}/{quote}"
    return symbol


def get_quote_currency(symbol: str) -> str | None:
    """Return what a coin's pair is paid in, in either spelling; None if it is no pair."""
    return add_slash(symbol).partition("/")[2] or None


def get_underlying(symbol: str) -> str:
    """Return the stock of an option; any other symbol as it is."""
    return symbol[:-15] if OPTION.fullmatch(symbol) else symbol


def is_among(symbol: str, allowed: tuple[str, ...]) -> bool:
    """Whether a symbol, or the stock of an option, is in a list, in either spelling of a coin."""
    spellings = {name.upper().replace("/", "") for name in allowed}
    return bool({symbol.replace("/", ""), get_underlying(symbol)} & spellings)
