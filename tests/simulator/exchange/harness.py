"""A market for tests: an exchange, a clock that moves by hand, and every event it has sent."""

from decimal import Decimal

from realtime.simulator.exchange.engine import AccountSpec, Exchange, TradeUpdate

# Tuesday, 2026-10-06, 10:00 in New York: the session is open, no holiday is near.
TUESDAY_10_00 = 1_791_295_200_000_000_000
SECOND = 1_000_000_000
STEP = 100_000_000

Json = dict[str, object]


class ExchangeHarness:
    """An exchange with one account, `alpha`, in a market that is open."""

    def __init__(self, *, seed: int = 7, mode: str = "open", **spec: object) -> None:
        self.now = TUESDAY_10_00
        self.updates: list[TradeUpdate] = []
        self.exchange = Exchange(seed=seed, clock=lambda: self.now)
        self.exchange.on_update = self.updates.append
        self.exchange.set_market(mode)
        self.open_account("alpha", **spec)

    def open_account(self, label: str, **spec: object) -> None:
        number = f"PA0SIM{len(self.exchange.labels) + 1:06d}"
        fields = {"label": label, "account_number": number, **spec}
        self.exchange.open_account(AccountSpec(**fields))  # type: ignore[arg-type]  # a few, known

    def step(self, count: int = 1) -> None:
        """Advance the market by steps of 100 ms."""
        for _ in range(count):
            self.now += STEP
            self.exchange.advance()

    def settle(self) -> None:
        """Advance until everything that can trade has traded."""
        self.step(12)

    def pass_time(self, seconds: int) -> None:
        """Move the clock and do one step."""
        self.now += seconds * SECOND
        self.exchange.advance()

    def submit(self, **body: object) -> Json:
        """Send an order for alpha: a market day order unless the body says otherwise."""
        filled_in = {"type": "market", "time_in_force": "day", **body}
        return self.exchange.submit("alpha", filled_in)

    def buy(self, symbol: str, qty: object, **body: object) -> Json:
        return self.submit(symbol=symbol, qty=qty, side="buy", **body)

    def sell(self, symbol: str, qty: object, **body: object) -> Json:
        return self.submit(symbol=symbol, qty=qty, side="sell", **body)

    def own(self, symbol: str, qty: object, *, price: str | None = None, **body: object) -> None:
        """Buy at the market, or at a pinned price, and wait until it has filled."""
        if price is not None:
            self.exchange.set_price(symbol, price)
        self.buy(symbol, qty, **body)
        self.settle()
        self.updates.clear()

    def order(self, order_id: object, *, nested: bool = False) -> Json:
        return self.exchange.order("alpha", str(order_id), nested=nested)

    def status(self, order_id: object) -> str:
        return str(self.order(order_id)["status"])

    def account(self) -> Json:
        return self.exchange.account("alpha")

    def cash(self) -> Decimal:
        return Decimal(str(self.account()["cash"]))

    def qty(self, symbol: str) -> Decimal:
        for position in self.exchange.positions("alpha"):
            if position["symbol"] == symbol.replace("/", ""):
                return Decimal(str(position["qty"]))
        return Decimal(0)

    def events(self, order_id: object = None) -> list[str]:
        """Return the names of the events sent, of one order or of all."""
        return [str(data["event"]) for data in self.frames(order_id)]

    def frames(self, order_id: object = None) -> list[Json]:
        frames = [update.data for update in self.updates]
        if order_id is None:
            return frames
        return [data for data in frames if nested(data, "order", "id") == order_id]


def nested(document: object, *path: str | int) -> object:
    """Walk into nested JSON."""
    for part in path:
        document = document[part]  # type: ignore[index]  # JSON of a known shape
    return document
