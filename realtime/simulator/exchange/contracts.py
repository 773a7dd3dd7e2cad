"""GET /v2/options/contracts: the option contracts that can be traded."""

from collections.abc import Mapping

from realtime.simulator.exchange.assets import Asset, Contract
from realtime.simulator.exchange.decimals import plain, read_number
from realtime.simulator.exchange.floor import Floor
from realtime.simulator.exchange.queries import read_choice, read_count, read_words
from realtime.simulator.exchange.refusal import Document, not_found

_DEFAULT_LIMIT = 100
_LARGEST_LIMIT = 10_000


def list_contracts(floor: Floor, query: Mapping[str, str]) -> Document:
    """Answer the query; the next page token is the number of contracts already given."""
    limit = read_count(query, "limit", default=_DEFAULT_LIMIT, largest=_LARGEST_LIMIT)
    start = read_count(query, "page_token", default=0, largest=_LARGEST_LIMIT)
    found = [
        asset
        for asset in floor.listing.options()
        if asset.contract is not None and _is_wanted(asset.contract, query)
    ]
    page = found[start : start + limit]
    has_more = start + limit < len(found)
    return {
        "option_contracts": [_document(floor, asset) for asset in page],
        "next_page_token": str(start + limit) if has_more else None,
    }


def one_contract(floor: Floor, name: str) -> Document:
    """Answer GET /v2/options/contracts/{symbol or id}."""
    asset = floor.listing.find(name)
    if asset is None or asset.contract is None:
        raise not_found(f"asset not found for {name[:40]}")
    return _document(floor, asset)


def _is_wanted(terms: Contract, query: Mapping[str, str]) -> bool:
    expiry = terms.expiry.isoformat()
    roots = read_words(query, "underlying_symbols") or read_words(query, "root_symbol")
    kind = read_choice(query, "type", ("", "call", "put"))
    low, high = query.get("strike_price_gte", ""), query.get("strike_price_lte", "")
    return (
        (not roots or terms.underlying in roots)
        and read_choice(query, "status", ("active", "inactive")) == "active"
        and kind in ("", _type(terms))
        and query.get("expiration_date", "") in ("", expiry)
        and query.get("expiration_date_gte", "") <= expiry
        and expiry <= (query.get("expiration_date_lte") or expiry)
        and (not low or terms.strike >= read_number(low, "strike_price_gte"))
        and (not high or terms.strike <= read_number(high, "strike_price_lte"))
    )


def _type(terms: Contract) -> str:
    return "call" if terms.is_call else "put"


def _document(floor: Floor, asset: Asset) -> Document:
    terms = asset.contract
    assert terms is not None
    return {
        "id": asset.id,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": "active" if asset.active else "inactive",
        "tradable": asset.active,
        "expiration_date": terms.expiry.isoformat(),
        "root_symbol": terms.underlying,
        "underlying_symbol": terms.underlying,
        "underlying_asset_id": floor.listing.by_symbol[terms.underlying].id,
        "type": _type(terms),
        "style": "american",
        "strike_price": plain(terms.strike),
        "multiplier": plain(asset.multiplier),
        "size": plain(asset.multiplier),
        "open_interest": None,
        "open_interest_date": None,
        "close_price": plain(floor.prices.lastday[asset.symbol]),
        "close_price_date": None,
    }
