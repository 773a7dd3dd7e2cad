"""Symbols of the market-data API: their form by class of asset, and the path of each class.

The broker refuses a whole request for one malformed symbol, so they are checked before.
Sources: the broker's market-data reference; the OCC's symbology for options.
"""

import re
from typing import Literal

AssetClass = Literal["stocks", "options", "crypto"]

MAX_LENGTH = 24

_STOCK = re.compile(r"[A-Z0-9]{1,8}(?:[./-][A-Z0-9]{1,5}){0,2}")
_OPTION = re.compile(r"[A-Z0-9.]{1,6}\d{6}[CP]\d{8}", re.ASCII)
_PAIR = re.compile(r"([A-Z0-9]{1,12})/([A-Z]{2,5})")
_WITHOUT_SLASH = re.compile(r"([A-Z0-9]{2,12}?)-?(USDT|USDC|USD|BTC|ETH)")

ROOTS: dict[AssetClass, str] = {
    "stocks": "/v2/stocks",
    "options": "/v1beta1/options",
    "crypto": "/v1beta3/crypto/us",
}
"""Where the paths of a class begin."""

FORMS: dict[AssetClass, str] = {
    "stocks": "letters and digits, such as AAPL or BRK.B",
    "options": "the OCC's symbol, such as AAPL261218C00200000",
    "crypto": "a pair, such as BTC/USD",
}


def normalize_symbol(asset_class: AssetClass, text: str) -> str | None:
    """Return a symbol as the market-data API spells it, or None if it has no such form.

    Coins may be written without the slash: `btcusd`, `BTC-USD`.
    """
    symbol = text.strip().upper()
    if len(symbol) > MAX_LENGTH or not symbol.isascii():
        return None
    match asset_class:
        case "stocks":
            return symbol if _STOCK.fullmatch(symbol) else None
        case "options":
            return symbol if _OPTION.fullmatch(symbol) else None
        case "crypto":
            pair = _PAIR.fullmatch(symbol) or _WITHOUT_SLASH.fullmatch(symbol)
            return f"{pair[1]}/{pair[2]}" if pair else None


def latest_part(asset_class: str, values: str) -> str:
    """Return the path, after that of the class, of the latest `quotes`, `trades` or `bars`."""
    return f"latest/{values}" if asset_class == "crypto" else f"{values}/latest"


def class_of(symbol: str) -> AssetClass:
    """Return the class that the spelling of a symbol means; a coin needs its slash."""
    if "/" in symbol and _PAIR.fullmatch(symbol.upper()):
        return "crypto"
    return "options" if _OPTION.fullmatch(symbol.upper()) else "stocks"
