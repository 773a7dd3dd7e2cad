"""Stream paths and their channels, and what a client may subscribe to.

Refusals have Alpaca's codes and texts (MARKET 3.4): programs compare them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

ALL = "*"
"""Every symbol of a channel."""

Pairs = frozenset[tuple[str, str]]
"""A set of subscriptions: (channel, symbol)."""

Kind = Literal["stocks", "crypto", "options", "news"]

TYPES: Mapping[str, str] = {
    "trades": "t", "quotes": "q", "bars": "b", "updatedBars": "u", "dailyBars": "d",
    "statuses": "s", "lulds": "l", "imbalances": "i", "orderbooks": "o", "news": "n",
}  # fmt: skip
"""Channel → message type."""

WITH_TRADES: Mapping[str, str] = {"corrections": "c", "cancelErrors": "x"}
"""Channels that come with the trades of a symbol; they are part of acks only."""

CHANNEL_OF_TYPE: Mapping[str, str] = {
    **{kind: channel for channel, kind in TYPES.items()},
    **dict.fromkeys(WITH_TRADES.values(), "trades"),
}

_STOCKS = (
    "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances",
)  # fmt: skip
_CRYPTO = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}")
_OPTION = re.compile(r"[A-Z0-9.]{1,6}\d{6}[CP]\d{8}")


class StreamPath(Struct, frozen=True, kw_only=True):
    """One stream of the broker. One connection to it is allowed for each user."""

    path: str
    kind: Kind
    feed: str
    channels: tuple[str, ...]


PATHS: Mapping[str, StreamPath] = {
    stream.path: stream
    for stream in (
        *(
            StreamPath(path=path, kind="stocks", feed=path.rpartition("/")[2], channels=_STOCKS)
            for path in (
                "/v2/iex", "/v2/sip", "/v2/delayed_sip", "/v1beta1/boats", "/v1beta1/overnight",
            )
        ),
        StreamPath(
            path="/v2/test", kind="stocks", feed="test", channels=("trades", "quotes", "bars")
        ),
        *(
            StreamPath(
                path=f"/v1beta3/crypto/{location}", kind="crypto", feed=location, channels=_CRYPTO
            )
            for location in ("us", "us-1", "eu-1")
        ),
        *(
            StreamPath(
                path=f"/v1beta1/{feed}", kind="options", feed=feed, channels=("trades", "quotes")
            )
            for feed in ("opra", "indicative")
        ),
        StreamPath(path="/v1beta1/news", kind="news", feed="news", channels=("news",)),
    )
}  # fmt: skip


class Rejected(Exception):
    """A request that is refused as a whole: its error code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


TEXTS: Mapping[int, str] = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    412: "option messages are only available in MsgPack",
    413: "star subscription is not allowed for option quotes",
    500: "internal error",
}


def rejected(code: int) -> Rejected:
    """Return the refusal with Alpaca's own text."""
    return Rejected(code, TEXTS[code])


def parse_names(stream: StreamPath, message: Mapping[str, object]) -> Pairs:
    """Return the subscriptions that a message names. Raises `Rejected`.

    Clients send empty or null lists for channels that they do not use.
    """
    pairs: set[tuple[str, str]] = set()
    for channel, value in message.items():
        if channel in ("action", "T") or not value:
            continue
        if channel not in stream.channels:
            raise rejected(410 if channel in TYPES or channel in WITH_TRADES else 400)
        if not isinstance(value, list):
            raise rejected(400)
        for name in value:
            if not isinstance(name, str) or not (name == ALL or _SYMBOL.fullmatch(name)):
                raise rejected(400)
            if name == ALL and channel == "quotes" and stream.kind == "options":
                raise rejected(413)
            pairs.add((channel, name))
    return frozenset(pairs)


def kind_of(symbol: str) -> Kind:
    """Return the asset class that a symbol's spelling shows: a pair, an option, or a stock."""
    if "/" in symbol:
        return "crypto"
    return "options" if _OPTION.fullmatch(symbol) else "stocks"


def by_channel(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return subscriptions as channel → sorted symbols."""
    channels: dict[str, list[str]] = {}
    for channel, name in sorted(pairs):
        channels.setdefault(channel, []).append(name)
    return channels


def format_ack(stream: StreamPath, pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return the ack with the full set of subscriptions, as the broker writes it."""
    named = by_channel(pairs)
    ack: dict[str, object] = {"T": "subscription"}
    for channel in stream.channels:
        if channel != "imbalances" or channel in named:
            ack[channel] = named.get(channel, [])
    if stream.kind == "stocks" and stream.feed != "test":
        ack |= {channel: named.get("trades", []) for channel in WITH_TRADES}
    return ack
