"""Tradable assets: one frozen Struct per symbol, and its JSON."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace

from realtime.simulator.exchange.decimals import ONE, ZERO, format_decimal
from realtime.simulator.exchange.errors import ApiError, Document, not_found, unprocessable

EQUITY = "us_equity"
CRYPTO = "crypto"
OPTION = "us_option"

# Asset ids are the same in every run and for every seed, as the broker's are permanent.
_NAMESPACE = UUID("6f0d2f1e-5d5b-4b7e-9c39-51a8f0a4c2d7")


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of an option."""

    underlying: str
    expiry: date
    strike: Decimal
    is_call: bool


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable asset. `multiplier` is 100 for options: prices are per share."""

    id: str
    symbol: str
    name: str
    exchange: str
    asset_class: str
    start_price: Decimal
    active: bool = True
    marginable: bool = True
    shortable: bool = True
    fractionable: bool = True
    attributes: tuple[str, ...] = ()
    multiplier: Decimal = ONE
    contract: Contract | None = None

    @property
    def position_symbol(self) -> str:
        """Symbol in positions: crypto without its slash."""
        return self.symbol.replace("/", "")

    @property
    def is_equity(self) -> bool:
        return self.asset_class == EQUITY

    @property
    def is_crypto(self) -> bool:
        return self.asset_class == CRYPTO

    @property
    def is_option(self) -> bool:
        return self.asset_class == OPTION


# attribute in a query → its current name; official examples still use the old names
_RENAMED = {"options_enabled": "has_options"}

# Asset of the parent of a multi-leg order.
NO_ASSET = Asset(
    id="00000000-0000-0000-0000-000000000000",
    symbol="",
    name="",
    exchange="",
    asset_class="",
    start_price=ZERO,
    multiplier=Decimal(100),
)


def asset_id(symbol: str) -> str:
    """Return the symbol's id, the same in every run."""
    return str(uuid5(_NAMESPACE, symbol))


class Listing:
    """All assets, indexed by symbol, crypto symbol without slash, and id."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        self.by_symbol: dict[str, Asset] = {asset.symbol: asset for asset in assets}
        self._by_any_name: dict[str, Asset] = {}
        for asset in self.by_symbol.values():
            self._by_any_name[asset.symbol] = asset
            self._by_any_name[asset.position_symbol] = asset
            self._by_any_name[asset.id] = asset

    def find(self, name: str) -> Asset | None:
        """Return the asset of this symbol or id, or None."""
        return self._by_any_name.get(name) or self._by_any_name.get(name.upper())

    def retire(self, asset: Asset) -> None:
        """Make an asset inactive: an expired option, a symbol that was replaced."""
        retired = replace(asset, active=False)
        self.by_symbol[asset.symbol] = retired
        for name in (asset.symbol, asset.position_symbol, asset.id):
            self._by_any_name[name] = retired

    def rename(self, asset: Asset, symbol: str) -> Asset:
        """Change an asset's symbol; the old symbol becomes inactive."""
        if symbol in self._by_any_name:
            raise ValueError(f"{symbol} is taken")
        renamed = replace(asset, symbol=symbol)
        self.retire(asset)
        self.by_symbol[symbol] = renamed
        self._by_any_name[symbol] = self._by_any_name[asset.id] = renamed
        return renamed

    def options(self) -> list[Asset]:
        """Return the contracts that still trade."""
        return [a for a in self.by_symbol.values() if a.contract is not None and a.active]

    def get_tradable(self, symbol: str) -> Asset:
        """Return an active asset; raises ApiError."""
        asset = self.find(symbol)
        if asset is None:
            raise unprocessable(f'asset "{symbol[:40]}" not found')
        if not asset.active:
            raise unprocessable(f'asset "{asset.symbol}" is not active')
        return asset

    def list_documents(self, query: Mapping[str, str]) -> list[Document]:
        """Answer GET /v2/assets: options are never in this list."""
        wanted_class = query.get("asset_class") or EQUITY
        words = [word for word in query.get("attributes", "").split(",") if word]
        attributes = {_RENAMED.get(word, word) for word in words}
        return [
            asset_document(asset)
            for asset in self.by_symbol.values()
            if asset.asset_class == wanted_class
            and not asset.is_option
            and query.get("status", "") in ("", "all", _status(asset))
            and query.get("exchange", "") in ("", asset.exchange)
            and (not attributes or attributes.intersection(asset.attributes))
        ]

    def get_document(self, name: str) -> Document:
        """Answer GET /v2/assets/{symbol or id}."""
        asset = self.find(name)
        if asset is None:
            raise _asset_not_found(name)
        return asset_document(asset)


def asset_document(asset: Asset) -> Document:
    """Return the asset as in REST."""
    document: Document = {
        "id": asset.id,
        "class": asset.asset_class,
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": _status(asset),
        "tradable": asset.active,
        "marginable": asset.marginable,
        "maintenance_margin_requirement": 30 if asset.marginable else 100,
        "margin_requirement_long": "30" if asset.marginable else "100",
        "margin_requirement_short": "30" if asset.marginable else "100",
        "shortable": asset.shortable,
        "easy_to_borrow": asset.shortable,
        "fractionable": asset.fractionable,
        "attributes": list(asset.attributes),
    }
    if asset.is_equity:
        document["borrow_status"] = "easy_to_borrow" if asset.shortable else "hard_to_borrow"
    if asset.is_crypto:
        document["min_order_size"] = format_decimal(min_order_size(asset))
        document["min_trade_increment"] = "0.000000001"
        document["price_increment"] = "0.000000001"
    return document


def min_order_size(asset: Asset) -> Decimal:
    """Return the smallest quantity of a coin that one order may buy: about a dollar's worth."""
    return Decimal("0.00001") if asset.start_price > 10_000 else Decimal("0.0004")


def _status(asset: Asset) -> str:
    return "active" if asset.active else "inactive"


def _asset_not_found(name: str) -> ApiError:
    return not_found(f"asset not found for {name[:40]}")
