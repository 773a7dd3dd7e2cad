"""History of a symbol: synthetic before the simulator started, recorded since.

Three sources in the order of time: `PastPrices` before the start, the exchange's one-minute samples
until the tape starts, then the tape. Bars, trades and quotes of a minute agree with each other.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from realtime.simulator.exchange.engine import Exchange
from realtime.simulator.exchange.timestamps import MILLISECOND, MINUTE, NEW_YORK, SECOND
from realtime.simulator.exchange.venue.assets import Asset, Contract
from realtime.simulator.exchange.venue.calendar import (
    EXTENDED_CLOSE,
    EXTENDED_OPEN,
    OPEN,
    close_time,
    instant,
    is_trading_day,
    previous_trading_day,
)
from realtime.simulator.exchange.venue.market_hours import CLOSED
from realtime.simulator.exchange.venue.prices import option_price
from realtime.simulator.market.bars import Bar, combine
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.past import DerivedPrices, PastPrices
from realtime.simulator.market.tape import Tape
from realtime.simulator.market.ticks import IEX
from realtime.simulator.market.timeframes import CHICAGO, Timeframe, day_start, local_day

# Nothing is older: the broker's history of stocks begins in 2016.
FIRST_DAY = date(2016, 1, 4)
# Seconds after the start of a minute at which its synthetic trades happen.
_TRADE_SECONDS = (5, 20, 35, 55)
_SAMPLE_MINUTES = 30  # of which a synthetic day bar is made
_IEX_SHARE = 0.03
_ONE_DAY = timedelta(days=1)


class History:
    """Bars, trades and quotes of all symbols in any range."""

    def __init__(self, exchange: Exchange, tape: Tape) -> None:
        self._exchange = exchange
        self._tape = tape
        self._opened_at = tape.opened_at
        # The first prices, kept: the exchange's own move on.
        self._first = {s: float(p) for s, p in exchange.price_process.last.items()}
        self._closes = {s: float(p) for s, p in exchange.price_process.lastday.items()}
        self._past = lru_cache(maxsize=512)(self._new_past)
        self._day_minutes = lru_cache(maxsize=512)(self._synthetic_minutes)
        self._day_bars = lru_cache(maxsize=20_000)(self._synthetic_day)

    def bars(
        self, asset: Asset, feed: str, timeframe: Timeframe, span: tuple[int, int]
    ) -> Iterator[Bar]:
        """Yield the bars that start within a span, in time order."""
        start, end = span
        zone = zone_of(asset)
        days = _days(start, end, zone, asset)
        if timeframe.is_intraday:
            minutes = (bar for day in days for bar in self.minute_bars(asset, feed, day))
            bars: Iterable[Bar] = minutes
            if timeframe != (1, "T"):
                bars = combine(minutes, timeframe, zone)
        else:
            daily = (self.day_bar(asset, feed, day) for day in _whole(days, timeframe))
            bars = combine((bar for bar in daily if bar is not None), timeframe, zone)
        return (bar for bar in bars if start <= bar.start <= end)

    def minute_bars(self, asset: Asset, feed: str, day: date) -> list[Bar]:
        """Return the minute bars of a day, in time order."""
        zone = zone_of(asset)
        begin, end = day_start(day, zone), day_start(day + _ONE_DAY, zone)
        bars: list[Bar] = []
        if begin < self._opened_at:
            bars = [b for b in self._day_minutes(asset, feed, day) if b.start < self._opened_at]
        if end > self._opened_at:
            bars = [*bars, *self._recorded(asset, feed, max(begin, self._opened_at), end)]
        return bars

    def day_bar(self, asset: Asset, feed: str, day: date) -> Bar | None:
        """Return the bar of a day, None without a trade."""
        zone = zone_of(asset)
        if day_start(day + _ONE_DAY, zone) <= self._opened_at:
            return self._day_bars(asset, feed, day)
        bars = self.minute_bars(asset, feed, day)
        return next(combine(bars, Timeframe(1, "D"), zone), None)

    def price_at(self, symbol: str, at: int) -> Decimal:
        """Return the synthetic price of a stock at a time before the start."""
        asset = self._exchange.listing.by_symbol[symbol]
        past = self._past(asset)
        assert past is not None, "only stocks are traded in the past"
        return Decimal(str(_round(past.at(at), asset)))

    def previous_day_bar(self, asset: Asset, feed: str, day: date) -> Bar | None:
        """Return the last day bar before a day, within ten days."""
        for back in range(1, 11):
            bar = self.day_bar(asset, feed, day - back * _ONE_DAY)
            if bar is not None:
                return bar
        return None

    def trades(self, asset: Asset, feed: str, span: tuple[int, int]) -> Iterator[Fields]:
        """Yield trades within a span, in time order."""
        return self._ticks(asset, feed, span, _trades_of_bar, "trades")

    def quotes(self, asset: Asset, feed: str, span: tuple[int, int]) -> Iterator[Fields]:
        """Yield quotes within a span, in time order."""
        return self._ticks(asset, feed, span, _quotes_of_bar, "quotes")

    def _ticks(
        self,
        asset: Asset,
        feed: str,
        span: tuple[int, int],
        of_bar: Callable[[Asset, Bar], list[Fields]],
        name: str,
    ) -> Iterator[Fields]:
        start, end = span
        recorded_from = self._tape.started_at or (1 << 63)
        for day in _days(start, min(end, recorded_from), zone_of(asset), asset):
            for bar in self.minute_bars(asset, feed, day):
                if bar.start + MINUTE < start or bar.start > end:
                    continue
                for tick in of_bar(asset, bar):
                    if start <= tick["t"] <= end and tick["t"] < recorded_from:
                        yield tick
        tape = self._tape.feed(asset.symbol, feed)
        if tape is not None:
            for tick in list(getattr(tape, name)):
                if start <= tick["t"] <= end:
                    yield tick

    def _recorded(self, asset: Asset, feed: str, begin: int, end: int) -> Iterator[Bar]:
        """Yield bars since the start of the simulator: from samples, then from the tape."""
        tape = self._tape.feed(asset.symbol, feed)
        taped_from = self._tape.started_at or (1 << 63)
        samples = self._exchange.price_process.minutes
        for (minute, prices), following in zip(samples, [*list(samples)[1:], None], strict=False):
            if not begin // MINUTE * MINUTE <= minute < min(end, taped_from // MINUTE * MINUTE):
                continue
            if asset.symbol not in prices or not self._trades_at(asset, minute):
                continue
            first = float(prices[asset.symbol])
            last = first if following is None else float(following[1][asset.symbol])
            yield _bar(minute, [first, last], 4 * _lot(asset))
        if tape is not None:
            yield from (
                bar for bar in list(tape.minutes) if begin <= bar.start + MINUTE and bar.start < end
            )

    def _trades_at(self, asset: Asset, at: int) -> bool:
        return asset.is_crypto or self._exchange.session_phase(at) != CLOSED

    def _new_past(self, asset: Asset) -> PastPrices | DerivedPrices | None:
        contract = asset.contract
        if contract is not None:
            underlying = self._past(self._exchange.listing.by_symbol[contract.underlying])
            if not isinstance(underlying, PastPrices):
                return None
            return DerivedPrices(underlying, lambda spot: _option_price(contract, spot))
        if asset.symbol not in self._closes:
            return None
        today = local_day(self._opened_at, NEW_YORK)
        closed = previous_trading_day(today)
        return PastPrices(
            asset.symbol,
            closed_at=instant(closed, close_time(closed)),
            close=self._closes[asset.symbol],
            start=self._opened_at,
            first=self._first[asset.symbol],
        )

    def _synthetic_minutes(self, asset: Asset, feed: str, day: date) -> list[Bar]:
        return [bar for at in _minutes(asset, day) if (bar := self._synthetic_bar(asset, feed, at))]

    def _synthetic_day(self, asset: Asset, feed: str, day: date) -> Bar | None:
        """Return a day bar of every 30th minute; its close is the official one."""
        past = self._past(asset)
        if past is None or not (asset.is_crypto or is_trading_day(day)):
            return None
        begin, end = day_start(day, CHICAGO), day_start(day + _ONE_DAY, CHICAGO)
        if not asset.is_crypto:
            begin, end = instant(day, OPEN), instant(day, close_time(day))
        sampled = [*range(begin, end, _SAMPLE_MINUTES * MINUTE), end]
        prices = [_round(past.at(at), asset) for at in sampled]
        share = _IEX_SHARE if feed == "iex" else 1e-4 if asset.is_crypto else 1
        volume = sum(past.volume(at) for at in sampled) * _SAMPLE_MINUTES * share
        bar = _bar(day_start(day, zone_of(asset)), prices, volume)
        bar.trades = (end - begin) // MINUTE * len(_TRADE_SECONDS)
        return bar

    def _synthetic_bar(self, asset: Asset, feed: str, at: int, *, all_: bool = False) -> Bar | None:
        past = self._past(asset)
        if past is None:
            return None
        volume = past.volume(at)
        if feed == "iex":
            if volume % 3 == 0:
                return None  # no trade on IEX, so no bar
            volume = max(int(volume * _IEX_SHARE), len(_TRADE_SECONDS))
        prices = [_round(past.at(at + s * SECOND), asset) for s in (0, 59)]
        return _bar(at, prices, volume / 10_000 if asset.is_crypto else volume)


def zone_of(asset: Asset) -> ZoneInfo:
    """Return the time zone in which the asset's day bars start."""
    return CHICAGO if asset.is_crypto else NEW_YORK


def _bar(start: int, prices: list[float], volume: float) -> Bar:
    mean = sum(prices) / len(prices)
    return Bar(
        start,
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        volume,
        len(_TRADE_SECONDS),
        mean * volume,
    )


def _option_price(contract: Contract, spot: float) -> float:
    return float(option_price(contract, Decimal(f"{spot:.2f}")))


def _lot(asset: Asset) -> float:
    return 0.01 if asset.is_crypto else 100


def _round(price: float, asset: Asset) -> float:
    return max(round(price, 2), 0.01) if price >= 1 or asset.is_option else round(price, 4)


def _minutes(asset: Asset, day: date) -> Iterator[int]:
    """Yield the minutes of a day in which a synthetic trade happens."""
    if asset.is_crypto:
        begin = day_start(day, CHICAGO)
        yield from range(begin, day_start(day + _ONE_DAY, CHICAGO), MINUTE)
        return
    if not is_trading_day(day):
        return
    opens, closes = instant(day, OPEN), instant(day, close_time(day))
    if asset.is_option:
        yield from range(opens, closes, 15 * MINUTE)
        return
    yield from range(instant(day, EXTENDED_OPEN), opens, 5 * MINUTE)
    yield from range(opens, closes, MINUTE)
    yield from range(closes, instant(day, EXTENDED_CLOSE), 5 * MINUTE)


def _days(start: int, end: int, zone: ZoneInfo, asset: Asset) -> Iterator[date]:
    """Yield the days of a span; for stocks and options trading days only before the last one."""
    day, last = max(local_day(max(start, 0), zone), FIRST_DAY), local_day(max(end, 0), zone)
    while day <= last:
        yield day
        day += _ONE_DAY


def _whole(days: Iterator[date], timeframe: Timeframe) -> Iterator[date]:
    """Yield the days, from the start of the first week or month on."""
    first = next(days, None)
    if first is None:
        return
    day = first
    if timeframe.unit == "W":
        day -= timedelta(days=day.weekday())
    elif timeframe.unit == "M":
        day = date(day.year, (day.month - 1) // timeframe.number * timeframe.number + 1, 1)
    while day < first:
        yield day
        day += _ONE_DAY
    yield first
    yield from days


def _trades_of_bar(asset: Asset, bar: Bar) -> list[Fields]:
    """Return the trades that a synthetic minute bar consists of."""
    share = bar.volume / len(_TRADE_SECONDS)
    prices = (bar.open, bar.high, bar.low, bar.close)
    trades: list[Fields] = []
    for index, (second, price) in enumerate(zip(_TRADE_SECONDS, prices, strict=True)):
        at, trade_id = bar.start + second * SECOND, bar.start // MINUTE * 4 + index
        base: Fields = {"T": "t", "S": asset.symbol, "t": at}
        if asset.is_crypto:
            trades.append({**base, "p": price, "s": round(share, 9), "i": trade_id, "tks": "B"})
        elif asset.is_option:
            trades.append({**base, "p": price, "s": max(int(share), 1), "x": "P", "c": "I"})
        else:
            size = max(int(share), 1)
            stock = {"x": IEX, "p": price, "s": size, "c": ["@"], "i": trade_id, "z": "C"}
            trades.append({**base, **stock})
    return trades


def _quotes_of_bar(asset: Asset, bar: Bar) -> list[Fields]:
    """Return a quote just before each trade of a synthetic minute bar."""
    quotes: list[Fields] = []
    for trade in _trades_of_bar(asset, bar):
        price, at = trade["p"], trade["t"] - MILLISECOND
        base: Fields = {"T": "q", "S": asset.symbol, "t": at}
        bid, ask = round(price - 0.01, 4), round(price + 0.01, 4)
        if asset.is_crypto:
            quotes.append({**base, "bp": bid, "bs": 1, "ap": ask, "as": 1})
        else:
            sides = {"ax": IEX, "ap": ask, "as": 100, "bx": IEX, "bp": max(bid, 0.0), "bs": 100}
            last = {"c": "A"} if asset.is_option else {"c": ["R"], "z": "C"}
            quotes.append({**base, **sides, **last})
    return quotes
