"""Channels and subscriptions of the market-data streams."""

from collections.abc import Iterable
from typing import NamedTuple

from realtime.simulator.market.elements import Element
from realtime.simulator.market.rest.queries import is_symbol

ALL = "*"

# channel → message type
TYPES = {
    "trades": "t",
    "quotes": "q",
    "bars": "b",
    "updatedBars": "u",
    "dailyBars": "d",
    "statuses": "s",
    "lulds": "l",
    "imbalances": "i",
    "orderbooks": "o",
    "news": "n",
}
# Sent with the trades of a symbol, without a subscription of their own.
WITH_TRADES = {"corrections": "c", "cancelErrors": "x"}

_STOCK_CHANNELS = (
    "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances",
)  # fmt: skip


class Path(NamedTuple):
    """One stream path: what it carries and who may use it."""

    path: str
    feed: str
    channels: tuple[str, ...]
    needs_plus: bool = False
    kind: str = "stocks"


PATHS = (
    Path("/v2/iex", "iex", _STOCK_CHANNELS),
    Path("/v2/sip", "sip", _STOCK_CHANNELS, needs_plus=True),
    Path("/v2/delayed_sip", "delayed_sip", _STOCK_CHANNELS),
    Path("/v2/test", "test", ("trades", "quotes", "bars")),
    Path("/v1beta1/boats", "boats", _STOCK_CHANNELS, needs_plus=True),
    Path("/v1beta1/overnight", "overnight", _STOCK_CHANNELS),
    *(
        Path(
            f"/v1beta3/crypto/{location}",
            "us",
            ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"),
            kind="crypto",
        )
        for location in ("us", "us-1", "eu-1")
    ),
    Path("/v1beta1/opra", "opra", ("trades", "quotes"), needs_plus=True, kind="options"),
    Path("/v1beta1/indicative", "indicative", ("trades", "quotes"), kind="options"),
    Path("/v1beta1/news", "news", ("news",), kind="news"),
)


class Rejected(Exception):
    """A subscribe message that is rejected as a whole: its error code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Subscriptions:
    """The subscriptions of one connection: channel → symbols in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._symbols: dict[str, dict[str, None]] = {channel: {} for channel in path.channels}

    def change(self, message: dict[str, object], *, limit: int, max_quotes: int) -> set[str]:
        """Apply a subscribe or unsubscribe message; return the channels with new symbols.

        All or nothing: raises Rejected and changes nothing.
        """
        adds = message.get("action") == "subscribe"
        requested = self._parse(message)
        symbols = {channel: dict(known) for channel, known in self._symbols.items()}
        for channel, names in requested.items():
            for name in names:
                if adds:
                    symbols[channel][name] = None
                else:
                    symbols[channel].pop(name, None)
        if adds:
            self._check_limits(symbols, limit, max_quotes)
        new = {c for c in symbols if symbols[c].keys() - self._symbols[c].keys()}
        self._symbols = symbols
        return new

    def ack(self) -> dict[str, object]:
        """Return the full set of subscriptions."""
        message: dict[str, object] = {"T": "subscription"}
        for channel in self._path.channels:
            if channel != "imbalances" or self._symbols[channel]:
                message[channel] = list(self._symbols[channel])
        if self._path.kind == "stocks" and self._path.feed != "test":
            message |= {channel: list(self._symbols["trades"]) for channel in WITH_TRADES}
        return message

    def names(self, channel: str) -> list[str]:
        """Return the symbols of a channel."""
        return list(self._symbols.get(channel, ()))

    def matches(self, element: Element) -> bool:
        """Return whether the connection receives an element."""
        channel = _CHANNEL_OF_TYPE.get(element.type, "")
        wanted = self._symbols.get(channel)
        if not wanted:
            return False
        return ALL in wanted or any(symbol in wanted for symbol in element.symbols)

    def all_names(self) -> list[str]:
        """Return every symbol in the order of subscription, without duplicates."""
        return list(dict.fromkeys(name for names in self._symbols.values() for name in names))

    def _parse(self, message: dict[str, object]) -> dict[str, list[str]]:
        requested: dict[str, list[str]] = {}
        for name, value in message.items():
            if name in ("action", "T") or not value:
                continue  # clients send empty or null lists for channels they do not use
            if name not in self._symbols:
                if name in TYPES or name in WITH_TRADES:
                    raise Rejected(410, "invalid subscribe action for this feed")
                raise Rejected(400, "invalid syntax")
            requested[name] = _parse_names(value)
        if self._path.kind == "options" and ALL in requested.get("quotes", ()):
            raise Rejected(413, "star subscription is not allowed for option quotes")
        return requested

    def _check_limits(
        self, symbols: dict[str, dict[str, None]], limit: int, max_quotes: int
    ) -> None:
        """Check the plan's limit: trades and quotes count, bars do not (certainty `≠`)."""
        if self._path.kind == "options":
            if len(symbols["quotes"]) > max_quotes:
                raise Rejected(405, "symbol limit exceeded")
        elif self._path.kind == "stocks":
            counted = {**symbols["trades"], **symbols["quotes"]}
            unlimited = limit >= 1_000_000
            if (ALL in counted and not unlimited) or len(counted) > limit:
                raise Rejected(405, "symbol limit exceeded")


_CHANNEL_OF_TYPE = {
    **{kind: channel for channel, kind in TYPES.items()},
    **dict.fromkeys(WITH_TRADES.values(), "trades"),
}


def _parse_names(value: object) -> list[str]:
    if not isinstance(value, list):
        raise Rejected(400, "invalid syntax")
    names: Iterable[object] = value
    for name in names:
        if name != ALL and not is_symbol(name):
            raise Rejected(400, "invalid syntax")
    return [str(name) for name in names]
