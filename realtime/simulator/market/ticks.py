"""Trades, quotes, corrections and cancellations as the feeds send them, by kind of asset."""

from collections.abc import Callable
from random import Random

from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.settings import QuoteShape

IEX = "V"
EXCHANGES = "VQNPKZ"
ODD_LOT = 100
_TAPES = {"NASDAQ": "C", "NYSE": "A"}
_FIRST_TRADE_ID = 52_983_525_000_000


class TickFactory:
    """Makes ticks whose times are unique and increase, and whose trade ids increase."""

    def __init__(self, rng: Random, clock: Callable[[], int]) -> None:
        self._rng = rng
        self._clock = clock
        self._last_at = 0
        self._trade_id = _FIRST_TRADE_ID

    def trade(self, asset: Asset, price: float, size: float, exchange: str) -> Fields:
        """Return a trade; `exchange` is the letter of a stock exchange."""
        at, trade_id = self.next_time(), self._next_id()
        base: Fields = {"T": "t", "S": asset.symbol}
        if asset.is_crypto:
            side = self._rng.choice("BS")
            return {**base, "p": price, "s": size, "t": at, "i": trade_id, "tks": side}
        if asset.is_option:
            return {**base, "t": at, "p": price, "s": int(size), "x": "P", "c": "I"}
        conditions = ["@", "I"] if size < ODD_LOT else ["@"]
        return {
            **base,
            "i": trade_id,
            "x": exchange,
            "p": price,
            "s": int(size),
            "c": conditions,
            "t": at,
            "z": tape_letter(asset),
        }

    def quote(
        self, asset: Asset, price: float, exchange: str, shape: QuoteShape | None = None
    ) -> Fields:
        """Return a quote around a price, or one of an unusual shape."""
        at = self.next_time()
        bid, ask = _bid_and_ask(asset, price)
        sizes = self._rng.randint(1, 9), self._rng.randint(1, 9)
        bid_size, ask_size = (100 * sizes[0], 100 * sizes[1]) if asset.is_equity else sizes
        match shape:
            case "crossed":
                bid, ask = ask, bid
            case "locked":
                bid = ask
            case "no_bid":
                bid, bid_size = 0.0, 0
            case "no_ask":
                ask, ask_size = 0.0, 0
        base: Fields = {"T": "q", "S": asset.symbol}
        if asset.is_crypto:
            return {**base, "bp": bid, "bs": bid_size, "ap": ask, "as": ask_size, "t": at}
        ask_side = {"ax": exchange, "ap": ask, "as": ask_size}
        sides = {**ask_side, "bx": exchange, "bp": bid, "bs": bid_size}
        if asset.is_option:
            return {**base, "t": at, **sides, "c": "A"}
        return {**base, **sides, "c": ["R"], "t": at, "z": tape_letter(asset)}

    def corrected(self, trade: Fields, price: float) -> Fields:
        """Return a trade with another price and a new id."""
        return {**trade, "i": self._next_id(), "p": price}

    def correction(self, old: Fields, new: Fields) -> Fields:
        """Return the message that replaces a trade with a corrected one."""
        return {
            "T": "c",
            "S": old["S"],
            "x": old.get("x", ""),
            "oi": old["i"],
            "op": old["p"],
            "os": old["s"],
            "oc": old.get("c", []),
            "ci": new["i"],
            "cp": new["p"],
            "cs": new["s"],
            "cc": new.get("c", []),
            "t": self.next_time(),
            "z": old.get("z", ""),
        }

    def cancellation(self, old: Fields) -> Fields:
        """Return the message that cancels a trade."""
        kept = {"i": old["i"], "x": old.get("x", ""), "p": old["p"], "s": old["s"]}
        last = {"a": "C", "t": self.next_time(), "z": old.get("z", "")}
        return {"T": "x", "S": old["S"], **kept, **last}

    def next_time(self) -> int:
        """Return the current time, always later than the last one."""
        self._last_at = max(self._clock(), self._last_at + 1)
        return self._last_at

    def _next_id(self) -> int:
        self._trade_id += 1
        return self._trade_id


def tape_letter(asset: Asset) -> str:
    """Return the tape of a stock: A, B or C."""
    return _TAPES.get(asset.exchange, "B")


def main_feed(asset: Asset) -> str:
    """Return the feed that carries every tick of an asset."""
    return "us" if asset.is_crypto else "opra" if asset.is_option else "sip"


def feeds_of(asset: Asset, exchange: str) -> tuple[str, ...]:
    """Return the feeds that carry a tick of an exchange."""
    if asset.is_crypto:
        return ("us",)
    if asset.is_option:
        return ("opra", "indicative")
    return ("sip", "iex") if exchange == IEX else ("sip",)


def _bid_and_ask(asset: Asset, price: float) -> tuple[float, float]:
    """Return a bid below and an ask above the last price, at which orders fill."""
    if asset.is_crypto:
        return round(price * 0.9998, 2), round(price * 1.0002, 2)
    tick = 0.01 if price >= 1 or asset.is_option else 0.0001
    return max(round(price - tick, 4), 0.0), round(price + tick, 4)
