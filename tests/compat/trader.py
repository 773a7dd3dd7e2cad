"""alpaca-py's clients of one account, unmodified, pointed at the simulator."""

import logging
import warnings
from collections.abc import Callable
from queue import Queue
from threading import Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from tests.compat.background import LIMIT_S
from tests.compat.broker import Broker
from tests.compat.localhost import Localhost

with warnings.catch_warnings():
    # The SDK uses the deprecated client of websockets, which warns at import. Test files
    # import the SDK later.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import MarketOrderRequest
    from alpaca.trading.stream import TradingStream


class Trader:
    """One account. What the SDK's methods return is a model or a dict by a flag, hence Any."""

    def __init__(self, broker: Broker | Localhost, label: str) -> None:
        self.broker = broker
        self.label = label
        self.client: Any = self.log_in()

    def log_in(self, secret: str | None = None, **options: Any) -> Any:
        """Another client of this account, or one with a wrong secret."""
        secret = secret or f"demo-secret-{self.label}"
        return TradingClient(f"demo-{self.label}", secret, url_override=self.broker.url, **options)

    def close(self) -> None:
        """Close the client's connection."""
        self.client._session.close()

    def own(self, symbol: str, qty: float, side: str = "buy") -> Any:
        """Buy at the market, or sell short, and wait for the fill; return the position."""
        tif = "gtc" if "/" in symbol else "day"
        asked = MarketOrderRequest(symbol=symbol, qty=qty, side=side, time_in_force=tif)
        self.client.submit_order(asked)
        self.broker.settle()
        return self.client.get_open_position(symbol.replace("/", ""))

    def status(self, order: Any) -> str:
        """The status of an order now."""
        return str(self.client.get_order_by_id(order.id).status.value)

    def listen(self, *, raw_data: bool = False, secret: str | None = None) -> "Listener":
        """The account's stream."""
        return Listener(self, secret or f"demo-secret-{self.label}", raw_data=raw_data)


class Listener:
    """A `TradingStream` that runs in a thread; `with` it, and take its updates one by one."""

    def __init__(self, trader: Trader, secret: str, *, raw_data: bool) -> None:
        self._trader = trader
        self._listens_before = trader.broker.count_listens(trader.label)
        self.updates: Queue[Any] = Queue()
        self.stream: Any = TradingStream(
            f"demo-{trader.label}",
            secret,
            raw_data=raw_data,
            url_override=trader.broker.stream_url,
        )
        self.stream.subscribe_trade_updates(self._take)
        self._thread = Thread(target=self.stream.run, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        self.wait_listening()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stream.stop()
        # The SDK looks at its orders when something comes, or every five seconds.
        self._trader.broker.cut(self._trader.label, clean=True)
        self._join()

    def start(self) -> None:
        """Start it without waiting for success."""
        self._thread.start()

    def stop(self) -> None:
        """End one that never listened."""
        self.stream.stop()
        self._join()

    def wait_listening(self, times: int = 1) -> None:
        """Wait until it has begun to listen so many times."""
        broker, label = self._trader.broker, self._trader.label
        deadline = monotonic() + LIMIT_S
        while broker.count_listens(label) < self._listens_before + times:
            assert monotonic() < deadline, "it does not listen"
            sleep(0.005)

    def next(self) -> Any:
        """The next update; raises queue.Empty."""
        return self.updates.get(timeout=LIMIT_S)

    def until(self, event: str) -> list[Any]:
        """All updates up to one of this name."""
        updates = [self.next()]
        while updates[-1].event != event:
            updates.append(self.next())
        return updates

    def _join(self) -> None:
        self._thread.join(2 * LIMIT_S)
        assert not self._thread.is_alive()

    async def _take(self, update: Any) -> None:
        self.updates.put(update)


class LogQueue(logging.Handler):
    """Log lines of another thread, one by one."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Queue[str] = Queue()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.put(record.getMessage())

    def wait(self, fits: Callable[[str], bool]) -> str:
        """The next line that fits; raises queue.Empty."""
        while not fits(line := self._lines.get(timeout=LIMIT_S)):
            pass
        return line
