"""Option contracts, parsed from their symbols."""

import pytest

from realtime.simulator.exchange.engine import ApiError, Exchange
from realtime.simulator.rest.option_contracts import get_contract, list_contracts

NIGHT_NS = 1_795_000_000_000_000_000


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(seed=7, clock=lambda: NIGHT_NS)


def listed(exchange: Exchange, **query: str) -> list[dict[str, object]]:
    contracts = list_contracts(exchange, query)["option_contracts"]
    assert isinstance(contracts, list)
    return contracts


def test_contract_matches_its_symbol(exchange: Exchange) -> None:
    for contract in listed(exchange):
        day = str(contract["expiration_date"]).replace("-", "")[2:]
        letter = "C" if contract["type"] == "call" else "P"
        strike = f"{int(float(str(contract['strike_price'])) * 1000):08d}"
        assert contract["symbol"] == f"{contract['root_symbol']}{day}{letter}{strike}"
        assert get_contract(exchange, str(contract["id"])) == contract
        underlying = exchange.asset(str(contract["underlying_symbol"]))
        assert contract["underlying_asset_id"] == underlying["id"]


def test_contract_has_figures_of_the_last_trading_day(exchange: Exchange) -> None:
    """People choose contracts by open interest; NIGHT_NS is a Wednesday."""
    for contract in listed(exchange):
        assert int(str(contract["open_interest"])) > 0
        assert contract["close_price"] == exchange.last_close(str(contract["symbol"]))
        assert contract["open_interest_date"] == contract["close_price_date"] == "2026-11-17"


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"underlying_symbols": "nvda"}, lambda c: c["underlying_symbol"] == "NVDA"),
        ({"type": "put"}, lambda c: c["type"] == "put"),
        ({"strike_price_gte": "200"}, lambda c: float(c["strike_price"]) >= 200),
        ({"strike_price_lte": "200"}, lambda c: float(c["strike_price"]) <= 200),
        ({"status": "inactive"}, lambda c: False),
        ({"expiration_date_lte": "2026-01-01"}, lambda c: False),
        ({"expiration_date_gte": "2026-01-01"}, lambda c: True),
    ],
)
def test_list_is_filtered(exchange: Exchange, query: dict[str, str], fits: object) -> None:
    assert callable(fits)
    assert listed(exchange, **query) == [each for each in listed(exchange) if fits(each)]


def test_list_is_paged(exchange: Exchange) -> None:
    pages, token = [], "0"
    while token:
        html_error = list_contracts(exchange, {"limit": "4", "page_token": token})
        pages += listed(exchange, limit="4", page_token=token)
        token = str(html_error["next_page_token"] or "")
    assert pages == listed(exchange)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "-1"),
        ("limit", "99999999"),
        ("page_token", "²"),
        ("strike_price_gte", "NaN"),
        ("strike_price_lte", "much"),
        ("expiration_date", "soon"),
    ],
)
def test_bad_parameter_is_refused(exchange: Exchange, name: str, value: str) -> None:
    with pytest.raises(ApiError, match=f"invalid {name}"):
        list_contracts(exchange, {name: value})


def test_unknown_contract_is_not_found(exchange: Exchange) -> None:
    for name in ("AAPL", "NONE"):
        with pytest.raises(ApiError) as refusal:
            get_contract(exchange, name)
        assert refusal.value.status == 404
