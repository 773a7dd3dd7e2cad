"""The listed symbols (about forty) and their initial prices.

Option contracts expire on a third Friday at least four weeks after the day the exchange opens.
"""

from datetime import date, timedelta
from decimal import Decimal

from realtime.simulator.exchange.venue.assets import (
    CRYPTO,
    EQUITY,
    OPTION,
    Asset,
    Contract,
    Listing,
    asset_id,
)

_STOCK_TABLE = """
AAPL  NASDAQ 228.40 Apple Inc. Common Stock
MSFT  NASDAQ 431.20 Microsoft Corporation Common Stock
NVDA  NASDAQ 188.40 NVIDIA Corporation Common Stock
AMZN  NASDAQ 214.75 Amazon.com, Inc. Common Stock
GOOGL NASDAQ 176.30 Alphabet Inc. Class A Common Stock
META  NASDAQ 602.10 Meta Platforms, Inc. Class A Common Stock
TSLA  NASDAQ 316.55 Tesla, Inc. Common Stock
AMD   NASDAQ 142.85 Advanced Micro Devices, Inc. Common Stock
INTC  NASDAQ 24.60 Intel Corporation Common Stock
NFLX  NASDAQ 878.00 Netflix, Inc. Common Stock
ADBE  NASDAQ 498.30 Adobe Inc. Common Stock
CSCO  NASDAQ 58.15 Cisco Systems, Inc. Common Stock
PYPL  NASDAQ 84.90 PayPal Holdings, Inc. Common Stock
COST  NASDAQ 955.40 Costco Wholesale Corporation Common Stock
JPM   NYSE   244.70 JPMorgan Chase & Co. Common Stock
BAC   NYSE   46.35 Bank of America Corporation Common Stock
WFC   NYSE   73.80 Wells Fargo & Company Common Stock
V     NYSE   312.45 Visa Inc. Class A Common Stock
DIS   NYSE   112.60 The Walt Disney Company Common Stock
KO    NYSE   62.95 The Coca-Cola Company Common Stock
WMT   NYSE   90.20 Walmart Inc. Common Stock
XOM   NYSE   119.40 Exxon Mobil Corporation Common Stock
PFE   NYSE   25.85 Pfizer Inc. Common Stock
JNJ   NYSE   154.20 Johnson & Johnson Common Stock
BA    NYSE   155.90 The Boeing Company Common Stock
F     NYSE   11.10 Ford Motor Company Common Stock
NOK   NYSE   4.62 Nokia Corporation Sponsored ADR
BRK.B NYSE   468.70 Berkshire Hathaway Inc. Class B Common Stock
SPY   ARCA   597.20 SPDR S&P 500 ETF Trust
QQQ   NASDAQ 507.80 Invesco QQQ Trust, Series 1
IWM   ARCA   238.30 iShares Russell 2000 ETF
XLF   ARCA   50.88 Financial Select Sector SPDR Fund
GLD   ARCA   246.10 SPDR Gold Shares
TLT   NASDAQ 90.75 iShares 20+ Year Treasury Bond ETF
"""

_COIN_TABLE = """
BTC/USD 97250.00 Bitcoin / US Dollar
ETH/USD 2511.75 Ethereum / US Dollar
"""

# Underlying, strikes: in and out of the money at the initial price.
_STRIKES = {"NVDA": ("180", "200", "210"), "SPY": ("590", "610")}
_FIRST_EXPIRY_AFTER = timedelta(days=28)


def build_listing(today: date) -> Listing:
    """Return every asset this exchange trades when it opens on this day."""
    stocks = [_stock(line) for line in _STOCK_TABLE.strip().splitlines()]
    coins = [_coin(line) for line in _COIN_TABLE.strip().splitlines()]
    return Listing([*stocks, *_special_stocks(), *coins, *_options(stocks, today)])


def _stock(line: str) -> Asset:
    symbol, exchange, price, name = line.split(maxsplit=3)
    attributes = ["fractional_eh_enabled"]
    if symbol in _STRIKES:
        attributes.append("has_options")
    return Asset(
        id=asset_id(symbol),
        symbol=symbol,
        name=name,
        exchange=exchange,
        asset_class=EQUITY,
        start_price=Decimal(price),
        attributes=tuple(attributes),
    )


def _special_stocks() -> list[Asset]:
    return [
        Asset(
            id=asset_id("GME"),
            symbol="GME",
            name="GameStop Corporation Common Stock",
            exchange="NYSE",
            asset_class=EQUITY,
            start_price=Decimal("27.15"),
            shortable=False,
        ),
        Asset(
            id=asset_id("SIRI"),
            symbol="SIRI",
            name="Sirius XM Holdings Inc. Common Stock",
            exchange="NASDAQ",
            asset_class=EQUITY,
            start_price=Decimal("0.8450"),
            fractionable=False,
        ),
        Asset(
            id=asset_id("TWTR"),
            symbol="TWTR",
            name="Twitter, Inc. Common Stock",
            exchange="NYSE",
            asset_class=EQUITY,
            start_price=Decimal("53.70"),
            active=False,
        ),
    ]


def _coin(line: str) -> Asset:
    symbol, price, name = line.split(maxsplit=2)
    return Asset(
        id=asset_id(symbol),
        symbol=symbol,
        name=name,
        exchange="CRYPTO",
        asset_class=CRYPTO,
        start_price=Decimal(price),
        marginable=False,
        shortable=False,
    )


def _options(stocks: list[Asset], today: date) -> list[Asset]:
    expiry = _monthly_expiry(today + _FIRST_EXPIRY_AFTER)
    return [
        _option(stock, expiry, Decimal(strike), is_call=is_call)
        for stock in stocks
        for strike in _STRIKES.get(stock.symbol, ())
        for is_call in (True, False)
    ]


def _option(stock: Asset, expiry: date, strike: Decimal, *, is_call: bool) -> Asset:
    letter, word = ("C", "Call") if is_call else ("P", "Put")
    symbol = f"{stock.symbol}{expiry:%y%m%d}{letter}{int(strike * 1000):08d}"
    return Asset(
        id=asset_id(symbol),
        symbol=symbol,
        name=f"{stock.symbol} {expiry:%b %d %Y} {strike} {word}",
        exchange="",
        asset_class=OPTION,
        start_price=Decimal("0.01"),  # priced from its underlying at once
        marginable=False,
        shortable=False,
        fractionable=False,
        multiplier=Decimal(100),
        contract=Contract(underlying=stock.symbol, expiry=expiry, strike=strike, is_call=is_call),
    )


def _monthly_expiry(earliest: date) -> date:
    """Return the first third Friday on or after a day."""
    month = earliest.replace(day=1)
    while True:
        friday = month + timedelta(days=(4 - month.weekday()) % 7 + 14)
        if friday >= earliest:
            return friday
        month = (month + timedelta(days=32)).replace(day=1)
