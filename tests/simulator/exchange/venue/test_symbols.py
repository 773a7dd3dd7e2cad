"""What is listed: about forty symbols, with options that expire in the future."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.venue.symbols import build_listing


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)))
def test_options_expire_on_a_third_friday_weeks_ahead(today: date) -> None:
    """Whatever day the exchange opens on."""
    for asset in build_listing(today).options():
        assert asset.contract is not None
        expiry = asset.contract.expiry
        assert expiry.weekday() == 4
        assert 15 <= expiry.day <= 21
        assert timedelta(days=28) <= expiry - today <= timedelta(days=63)


def test_option_symbols_are_occ_without_spaces() -> None:
    """Root, yymmdd, C or P, strike in thousandths with eight digits."""
    listing = build_listing(date(2026, 10, 6))
    assert listing.find("NVDA261120C00200000") is not None


def test_about_forty_symbols_with_unique_ids() -> None:
    """Stocks, funds, two coins."""
    listing = build_listing(date(2026, 10, 6))
    format_decimal = [a for a in listing.by_symbol.values() if not a.is_option]
    assert 38 <= len(format_decimal) <= 44
    assert len({asset.id for asset in listing.by_symbol.values()}) == len(listing.by_symbol)
