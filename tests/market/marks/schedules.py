"""Seeded schedules: what users, venues and the back office do while prices move, then quiet.

The simulator is the oracle: at rest each figure of a mark equals the broker's own, to the cent.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from decimal import Decimal
from random import Random

from msgspec import Struct

from realtime.core.mark import AccountMark
from realtime.simulator.app import Simulator
from realtime.simulator.exchange.engine import ApiError
from tests import virtual
from tests.fleet import Fleet, fleet
from tests.market.marks.scene import with_market

STOCKS = ("AAPL", "MSFT", "NVDA", "SPY", "XLF")
COINS = ("BTC/USD", "ETH/USD")
OPTIONS = ("NVDA261120C00200000", "NVDA261120P00200000")
STEP_S = 0.5
ACTIVE_S = 25.0
QUIET_S = 50.0
"""Longer than what REST may be behind, and two reads of an account."""

CENT = Decimal("0.01")
MAX_STRAY = Decimal("0.2")
"""The largest part of the positions' gross value by which a mark may differ from every equity that
the broker showed in the last `BEHIND_S`: prices of the simulator move by thousandths a second, a
split by half and more. Deposits are known with the next read."""
BEHIND_S = 30.0
MAX_DEPOSITS = Decimal(2000)


class Difference(Struct, frozen=True):
    """One figure of one account that is not the broker's."""

    label: str
    figure: str
    ours: object
    broker: object


class Played(Struct, frozen=True):
    """What came of one schedule."""

    seed: int
    acts: tuple[str, ...]
    differences: tuple[Difference, ...]
    strays: tuple[tuple[str, Decimal, Decimal], ...]
    """Marks that were far from the broker's equity: account, mark, broker."""
    drift: int


def play_schedule(seed: int) -> Played:
    """Play one seed in virtual time."""
    rng = Random(f"marks:{seed}")

    async def scene() -> Played:
        simulator = Simulator(
            accounts=rng.choice((1, 2, 3)),
            seed=seed,
            clock=virtual.nanosecond_clock,
            step_s=STEP_S,
        )
        simulator.market_data.settings.plan = rng.choice(("plus", "plus", "basic"))
        reserve = rng.choice((None, 1, 3))
        async with (
            simulator,
            fleet(
                simulator, virtual.world(seed), configure=lambda s: with_market(s, reserve=reserve)
            ) as running,
        ):
            await running.until(running.all_synced)
            return await _play(running, rng, seed)

    return virtual.run(scene)


async def _play(running: Fleet, rng: Random, seed: int) -> Played:
    acts, watch = [], Watch(running)
    for label in running.links:
        acts += [_do(running, rng, label, _order) for _ in range(rng.randint(1, 4))]
    await asyncio.sleep(5)
    running.simulator.set_activity(rng.choice((0.001, 0.001, 1.0)))
    times = sorted(rng.uniform(0, ACTIVE_S) for _ in range(rng.randint(4, 12)))
    now = 0.0
    for at in (*times, ACTIVE_S):
        await watch.wait(at - now)
        now = at
        label = rng.choice(list(running.links))
        act = rng.choices(list(ACTS), list(ACTS.values()))[0]
        acts.append(_do(running, rng, label, act))
    running.simulator.set_activity(0.0)
    await watch.wait(QUIET_S)
    await running.until(running.settled)
    document = await running.reader("/market/marks")
    assert isinstance(document, dict)
    return Played(
        seed=seed,
        acts=tuple(acts),
        differences=tuple(_differences(running)),
        strays=tuple(watch.strays),
        drift=document["drift"],
    )


def _do(running: Fleet, rng: Random, label: str, act: "Act") -> str:
    with suppress(ApiError, ValueError, IndexError):  # refused, or nothing to do it to
        return f"{label} {act.__name__} {act(running, rng, label)}"
    return f"{label} {act.__name__} refused"


def _order(running: Fleet, rng: Random, label: str) -> str:
    symbol = rng.choice((*STOCKS, *COINS, *OPTIONS))
    side, gtc = "buy", {}
    if symbol in COINS:
        qty, gtc = str(Decimal(rng.randint(1, 9_999)) / 10_000), {"time_in_force": "gtc"}
    else:
        qty = str(rng.randint(1, 3 if symbol in OPTIONS else 40))
        if symbol in STOCKS:
            side = rng.choice(("buy", "buy", "sell"))
            if side == "buy" and rng.random() < 0.3:
                qty = f"{qty}.{rng.randint(1, 999)}"
    running.buy(label, symbol, qty, side=side, **gtc)
    return f"{side} {qty} {symbol}"


def _close(running: Fleet, rng: Random, label: str) -> str:
    # A new name is not traded at once: names change overnight.
    symbol = rng.choice([symbol for symbol in _held(running, label) if symbol[0] != "Z"])
    running.simulator.exchange.close_position(label, symbol, qty=None, percentage=None)
    return symbol


def _split(running: Fleet, rng: Random, label: str) -> str:
    # Not of NVDA: the simulator does not adjust options, so their prices would jump by themselves.
    stocks = [symbol for symbol in _held(running, label) if symbol in {*STOCKS} - {"NVDA"}]
    symbol, ratio, reverse = rng.choice(stocks), rng.choice((2, 3, 10)), rng.random() < 0.3
    running.simulator.exchange.split(symbol, ratio, reverse=reverse)
    running.simulator.market_data.add_split(symbol, *((1, ratio) if reverse else (ratio, 1)))
    return f"{symbol} {ratio} {'reverse' if reverse else 'forward'}"


def _rename(running: Fleet, rng: Random, label: str) -> str:
    stocks = [symbol for symbol in _held(running, label) if symbol in STOCKS]
    symbol = rng.choice(stocks)
    running.simulator.exchange.rename(symbol, f"Z{symbol}"[:5])
    return symbol


def _deposit(running: Fleet, rng: Random, label: str) -> str:
    amount = str(rng.choice((500, -250, 12.34)))
    running.simulator.exchange.deposit(label, amount)
    return amount


def _end_day(running: Fleet, rng: Random, label: str) -> str:
    running.simulator.exchange.end_day()
    return ""


def _bust(running: Fleet, rng: Random, label: str) -> str:
    executions = running.simulator.exchange.books(label)["executions"]
    assert isinstance(executions, list)
    running.simulator.exchange.bust(label, str(rng.choice(executions)["id"]))
    return ""


def _correct(running: Fleet, rng: Random, label: str) -> str:
    executions = running.simulator.exchange.books(label)["executions"]
    assert isinstance(executions, list)
    chosen = rng.choice(executions)
    price = (Decimal(str(chosen["price"])) * Decimal("0.99")).quantize(CENT)
    running.simulator.exchange.correct(label, str(chosen["id"]), format(price, "f"))
    return str(price)


def _amend_trade(running: Fleet, rng: Random, label: str) -> str:
    """The feed corrects or cancels its last trade; the broker's price stays what it was."""
    symbol = rng.choice([symbol for symbol in _held(running, label) if symbol in STOCKS])
    price = None if rng.random() < 0.5 else float(running.simulator.exchange.prices()[symbol])
    running.simulator.market_data.tape.amend(symbol, price=price)
    return f"{symbol} {price}"


def _halt(running: Fleet, rng: Random, label: str) -> str:
    symbol = rng.choice(_held(running, label))
    settings = running.simulator.market_data.settings
    running.simulator.market_data.tape.send(symbol, {"T": "s", "sc": "H", "rc": "T12"})
    settings.halted_symbols = [*settings.halted_symbols, symbol]
    return symbol


def _mute(running: Fleet, rng: Random, label: str) -> str:
    settings = running.simulator.market_data.settings
    settings.silent_symbols = [*settings.silent_symbols, rng.choice(_held(running, label))]
    return str(settings.silent_symbols)


def _deaf(running: Fleet, rng: Random, label: str) -> str:
    settings = running.simulator.market_data.settings
    settings.deaf = not settings.deaf
    return str(settings.deaf)


def _cut(running: Fleet, rng: Random, label: str) -> str:
    running.simulator.add_fault({"kind": "cut", "account": label})
    return ""


def _lag(running: Fleet, rng: Random, label: str) -> str:
    running.simulator.add_fault(
        {"kind": "lagging_positions", "account": label, "seconds": 3, "for_s": 10}
    )
    return ""


Act = Callable[[Fleet, Random, str], str]

ACTS: dict[Act, int] = {
    _order: 8, _close: 3, _split: 3, _rename: 1, _deposit: 1, _end_day: 2, _bust: 1, _correct: 1,
    _amend_trade: 2, _halt: 1, _mute: 1, _deaf: 1, _cut: 1, _lag: 1,
}  # fmt: skip


def _held(running: Fleet, label: str) -> list[str]:
    held = [str(p["symbol"]) for p in running.simulator.exchange.positions(label)]
    if not held:
        raise ValueError("nothing is held")
    return held


class Watch:
    """Marks that are far from all that the broker showed of late."""

    def __init__(self, running: Fleet) -> None:
        self.strays: list[tuple[str, Decimal, Decimal]] = []
        self._running = running
        self._equities: dict[str, deque[tuple[Decimal, Decimal]]] = {
            label: deque(maxlen=int(BEHIND_S / STEP_S)) for label in running.links
        }

    async def wait(self, seconds: float) -> None:
        """Let time pass, and look at every step of it."""
        for _ in range(int(seconds / STEP_S)):
            await asyncio.sleep(STEP_S)
            for label, equities in self._equities.items():
                equities.append(self._broker(label))
                self._look(label, equities)
        await asyncio.sleep(seconds % STEP_S)

    def _broker(self, label: str) -> tuple[Decimal, Decimal]:
        """Equity, and the gross value of positions."""
        exchange = self._running.simulator.exchange
        values = (Decimal(str(p["market_value"])) for p in exchange.positions(label))
        return Decimal(str(exchange.account(label)["equity"])), sum(map(abs, values), Decimal(0))

    def _look(self, label: str, equities: Iterable[tuple[Decimal, Decimal]]) -> None:
        mark = self._running.record(label).mark
        if mark is None or mark.equity is None:
            return
        now = mark.equity
        if all(abs(now - e) > MAX_STRAY * gross + MAX_DEPOSITS for e, gross in equities):
            self.strays.append((label, now, max(equities)[0]))


def _differences(running: Fleet) -> Iterator[Difference]:
    for label in running.links:
        mark = running.record(label).mark
        if mark is None:
            yield Difference(label, "mark", None, "")
            continue
        for figure, broker in _figures(running, label).items():
            ours = getattr(mark, figure)
            if ours is None or ours.quantize(CENT) != broker.quantize(CENT):
                yield Difference(label, figure, ours, broker)
        if mark.is_provisional or mark.prices.unpriced or mark.prices.held:
            yield Difference(label, "warnings", _warnings(mark), "")


def _figures(running: Fleet, label: str) -> dict[str, Decimal]:
    """What the broker reports of an account and its positions."""
    account = running.simulator.exchange.account(label)
    positions = running.simulator.exchange.positions(label)
    names = ("equity", "cash", "long_market_value", "short_market_value", "last_equity")
    return {name: Decimal(str(account[name])) for name in names} | {
        name: sum((Decimal(str(p[name])) for p in positions), Decimal(0))
        for name in ("unrealized_pl", "unrealized_intraday_pl")
    }


def _warnings(mark: AccountMark) -> object:
    return mark.is_provisional, mark.prices.unpriced, mark.prices.held


def explain(played: Played) -> str:
    """A schedule that went wrong, in words."""
    lines = [f"seed {played.seed}, drift {played.drift}", *played.acts]
    return "\n".join([*lines, *map(str, played.differences), *map(str, played.strays[:5])])


def is_right(played: Played) -> bool:
    """Whether marks were the broker's at rest, near it always, and the sums exact.

    On the way, a bust of what was split or renamed since is not judged: its quantity is in
    other units, or of another symbol.
    """
    words = {act.split()[1] for act in played.acts}
    strays = played.strays
    if words & {"_split", "_rename"} and words & {"_bust", "_correct"}:
        strays = ()
    return not (played.differences or strays or played.drift)


def main() -> None:
    """Play the seeds from the first argument up to the second."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    broken = []
    for seed in range(first, last):
        played = play_schedule(seed)
        if not is_right(played):
            broken.append(seed)
            print(explain(played), flush=True)
    print(f"{last - first} schedules, {len(broken)} broken: {broken}")


if __name__ == "__main__":
    main()
