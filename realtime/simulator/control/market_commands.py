"""Commands of `/_sim/…` for market data."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from realtime.simulator.control.commands import Command, ControlledSimulator, Price
from realtime.simulator.exchange.timestamps import SECOND
from realtime.simulator.market.settings import (
    Limit,
    MissingBars,
    Plan,
    QuoteShape,
    Seconds,
)

_HALTED = {"sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "Trading Halted"}
_RESUMED = {"sc": "T", "sm": "Trading Resumption", "rc": "", "rm": ""}


class SetMarketData(Command, frozen=True):
    """Change settings of the market data; omitted ones stay as they are."""

    path: ClassVar[str] = "market_data"
    plan: Plan | UnsetType = UNSET
    plans: dict[str, Plan] | UnsetType = UNSET
    header_auth: bool | UnsetType = UNSET
    bad_key_status: Literal[401, 403] | UnsetType = UNSET
    second_connection: Literal["406", "accept"] | UnsetType = UNSET
    slot_release_s: Seconds | UnsetType = UNSET
    greeting_delay_s: Seconds | UnsetType = UNSET
    deflate: bool | UnsetType = UNSET
    deaf: bool | UnsetType = UNSET
    silent_symbols: list[str] | UnsetType = UNSET
    ignored_above: Limit | UnsetType | None = UNSET
    subscribe_error: Literal[405, 409, 410] | UnsetType | None = UNSET
    drop_every: Limit | UnsetType | None = UNSET
    iex_delay_s: Seconds | UnsetType = UNSET
    cut_in_frame: bool | UnsetType = UNSET
    halted_symbols: list[str] | UnsetType = UNSET
    no_trades: list[str] | UnsetType = UNSET
    quotes: dict[str, QuoteShape] | UnsetType = UNSET
    page_size: Limit | UnsetType | None = UNSET
    repeat_page_token: bool | UnsetType = UNSET
    failing_page: Limit | UnsetType | None = UNSET
    missing_bars: list[MissingBars] | UnsetType = UNSET

    def run(self, sim: ControlledSimulator) -> object:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not UNSET:
                setattr(sim.market_data.settings, name, value)
        return encode_settings(sim)


def encode_settings(sim: ControlledSimulator) -> object:
    """Return the current settings of the market data."""
    return msgspec.to_builtins(sim.market_data.settings, str_keys=True)


class CorrectTrade(Command, frozen=True):
    """Correct the price of a stock's last trade (`c`), or cancel it (`x`) if `price` is null."""

    path: ClassVar[str] = "correct_trade"
    symbol: str
    price: Price | None = None

    def run(self, sim: ControlledSimulator) -> object:
        price = None if self.price is None else float(self.price)
        sim.market_data.tape.start()
        return sim.market_data.tape.amend(self.symbol, price=price)


class LateTrade(Command, frozen=True):
    """Print a trade `age_s` seconds late: the bar of its minute is sent again (`u`)."""

    path: ClassVar[str] = "late_trade"
    symbol: str
    price: Price
    size: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    age_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0

    def run(self, sim: ControlledSimulator) -> object:
        age = int(self.age_s * SECOND)
        sim.market_data.tape.start()
        sim.market_data.tape.print_late(self.symbol, float(self.price), self.size, age)
        return None


class HaltTrading(Command, frozen=True):
    """Halt a stock, or resume it: a status message (`s`); its data stops while it is halted."""

    path: ClassVar[str] = "halt"
    symbol: str
    on: bool

    def run(self, sim: ControlledSimulator) -> object:
        market = sim.market_data
        others = [s for s in market.settings.halted_symbols if s != self.symbol]
        market.tape.start()
        market.tape.send(self.symbol, {"T": "s", **(_HALTED if self.on else _RESUMED)})
        market.settings.halted_symbols = [*others, self.symbol] if self.on else others
        return None


class SendBand(Command, frozen=True):
    """Send a limit-up/limit-down band of a stock (`l`)."""

    path: ClassVar[str] = "luld"
    symbol: str
    up: Price
    down: Price
    indicator: Literal["A", "B", "C", "D", "E", "F", "G", "H", "I"] = "B"

    def run(self, sim: ControlledSimulator) -> object:
        band = {"T": "l", "u": float(self.up), "d": float(self.down), "i": self.indicator}
        sim.market_data.tape.start()
        sim.market_data.tape.send(self.symbol, band)
        return None


class SendImbalance(Command, frozen=True):
    """Send an order imbalance of a stock (`i`)."""

    path: ClassVar[str] = "imbalance"
    symbol: str
    price: Price

    def run(self, sim: ControlledSimulator) -> object:
        sim.market_data.tape.start()
        sim.market_data.tape.send(self.symbol, {"T": "i", "p": float(self.price)})
        return None


class PublishNews(Command, frozen=True):
    """Publish a news article, on REST and on the stream."""

    path: ClassVar[str] = "news"
    headline: str
    symbols: list[str]
    content: str = ""

    def run(self, sim: ControlledSimulator) -> object:
        market = sim.market_data
        article = market.news.publish(market.now(), self.headline, self.symbols, self.content)
        return {"id": article["id"]}


MARKET_COMMANDS: tuple[type[Command], ...] = (
    SetMarketData, CorrectTrade, LateTrade, HaltTrading, SendBand, SendImbalance,
    PublishNews,
)  # fmt: skip
