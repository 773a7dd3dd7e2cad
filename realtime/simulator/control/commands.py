"""Commands of `/_sim/…`: each Struct is the request body, its `run` the effect.

`server.py` serves them; nothing here uses HTTP.
"""

from dataclasses import fields
from typing import Annotated, ClassVar, Literal, Protocol

from msgspec import Meta, Struct

from realtime.simulator.exchange.engine import Exchange
from realtime.simulator.market.service import MarketData

# Decimal strings as the broker writes them: no exponent, no NaN. A price is above zero.
Price = Annotated[
    str,
    Meta(
        pattern=r"^(?=.*[1-9])\d{1,9}(\.\d{1,9})?$",
        description='a price above zero as a string, such as "200.5"',
    ),
]
Amount = Annotated[
    str,
    Meta(
        pattern=r"^-?\d{1,12}(\.\d{1,9})?$",
        description='an amount as a string, such as "500" or "-99.5"',
    ),
]


class ControlledSimulator(Protocol):
    """What commands need of the running simulator."""

    @property
    def exchange(self) -> Exchange:
        """The exchange."""

    @property
    def market_data(self) -> MarketData:
        """The market data."""

    def set_activity(self, activity: float) -> None:
        """Set the generated events per second."""

    def set_market(self, mode: str) -> None:
        """Change when the market is open."""

    def step(self) -> None:
        """Do one step of the exchange."""

    def status(self) -> dict[str, object]:
        """Return current figures."""


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /_sim/<path>`; `run` returns the response body, None for an empty one."""

    path: ClassVar[str]

    def run(self, sim: ControlledSimulator) -> object:
        """Run the command."""
        raise NotImplementedError


class SetTraffic(Command, frozen=True):
    """Generate `activity` events per second over all accounts; 0 stops."""

    path: ClassVar[str] = "traffic"
    activity: Annotated[float, Meta(ge=0, le=100_000)]

    def run(self, sim: ControlledSimulator) -> object:
        sim.set_activity(self.activity)
        return {"activity": self.activity}


class SetMarket(Command, frozen=True):
    """Open the market `always`, now (`open`), not now (`closed`), or as in New York (`nyse`)."""

    path: ClassVar[str] = "market"
    mode: Literal["always", "open", "closed", "nyse"]

    def run(self, sim: ControlledSimulator) -> object:
        sim.set_market(self.mode)
        return {"market": self.mode}


class Advance(Command, frozen=True):
    """Run `steps` steps of the exchange now: prices move, resting orders are matched."""

    path: ClassVar[str] = "advance"
    steps: Annotated[int, Meta(ge=1, le=10_000)] = 1

    def run(self, sim: ControlledSimulator) -> object:
        for _ in range(self.steps):
            sim.step()
        return {"steps": self.steps}


class SetPrice(Command, frozen=True):
    """Pin a symbol's price; resting orders match it at the next step."""

    path: ClassVar[str] = "set_price"
    symbol: str
    price: Price

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.set_price(self.symbol, self.price)
        return {"symbol": self.symbol, "price": sim.exchange.prices()[self.symbol]}


class Bust(Command, frozen=True):
    """Undo an execution: `trade_bust`."""

    path: ClassVar[str] = "bust"
    account: str
    execution_id: str

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.bust(self.account, self.execution_id)
        return None


class Correct(Command, frozen=True):
    """Change the price of an execution: `trade_correct`."""

    path: ClassVar[str] = "correct"
    account: str
    execution_id: str
    price: Price

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.correct(self.account, self.execution_id, self.price)
        return None


class RejectNext(Command, frozen=True):
    """Reject the next accepted order at the venue: `rejected`."""

    path: ClassVar[str] = "reject_next"
    account: str

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.reject_next(self.account)
        return None


class Split(Command, frozen=True):
    """Split a stock `ratio` for 1, or 1 for `ratio` if `reverse`, with no event on the stream."""

    path: ClassVar[str] = "split"
    symbol: str
    ratio: Annotated[int, Meta(ge=2, le=100)]
    reverse: bool = False

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.split(self.symbol, self.ratio, reverse=self.reverse)
        new, old = (1, self.ratio) if self.reverse else (self.ratio, 1)
        sim.market_data.add_split(self.symbol, new, old)
        return None


class Rename(Command, frozen=True):
    """Change a stock's symbol, with no event on the stream; its open orders are canceled."""

    path: ClassVar[str] = "rename"
    symbol: str
    to: Annotated[str, Meta(pattern=r"^[A-Z]{1,5}$")]

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.rename(self.symbol, self.to)
        sim.market_data.add_name_change(self.symbol, self.to)
        return None


class EndDay(Command, frozen=True):
    """End the trading day now and begin the next: yesterday's closes, equity and averages."""

    path: ClassVar[str] = "end_day"

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.end_day()
        return None


class Deposit(Command, frozen=True):
    """Journal cash in, or out if negative, with no event on the stream."""

    path: ClassVar[str] = "deposit"
    account: str
    amount: Amount

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.deposit(self.account, self.amount)
        return None


class HoldCancels(Command, frozen=True):
    """Respond to cancels with 204 and leave the orders `pending_cancel` until switched off."""

    path: ClassVar[str] = "hold_cancels"
    account: str
    on: bool

    def run(self, sim: ControlledSimulator) -> object:
        sim.exchange.hold_cancels(self.account, self.on)
        return None


class SetQuirks(Command, frozen=True):
    """Set uncertain facts about the broker; omitted ones stay as they are."""

    path: ClassVar[str] = "quirks"
    bracket_cancel_frame: bool | None = None
    parent_legs_in_frame: bool | None = None
    crypto_fee_in_position: bool | None = None
    pdt_fields: bool | None = None
    cancel_all_body: bool | None = None
    execution_id_on_pending_new: bool | None = None
    legacy_frames: bool | None = None
    rest_micros: bool | None = None
    unpriced: list[str] | None = None

    def run(self, sim: ControlledSimulator) -> object:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None:
                setattr(sim.exchange.quirks, name, value)
        return encode_quirks(sim)


def encode_quirks(sim: ControlledSimulator) -> dict[str, object]:
    """Return the current settings of the uncertain facts."""
    now = sim.exchange.quirks
    return {field.name: getattr(now, field.name) for field in fields(now)}


TRADING_COMMANDS: tuple[type[Command], ...] = (
    SetTraffic, SetMarket, Advance, EndDay, SetPrice, Bust, Correct, RejectNext, Split, Rename,
    Deposit, HoldCancels, SetQuirks,
)  # fmt: skip
