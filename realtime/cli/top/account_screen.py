"""One account on a screen of its own, asked for every second."""

from typing import ClassVar

from msgspec import Struct
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from realtime.cli.client import DaemonClient
from realtime.cli.event_format import Link
from realtime.cli.text_format import clean, money
from realtime.errors import LinkError

ASK_EVERY_S = 1.0
ORDERS_SHOWN = 50


class Money(Struct, frozen=True):
    """What is used of an account."""

    equity: str | None = None
    cash: str | None = None
    buying_power: str | None = None


class Position(Struct, frozen=True):
    """What is used of a position."""

    symbol: str
    qty: str
    avg_entry_price: str | None = None
    current_price: str | None = None
    market_value: str | None = None
    unrealized_pl: str | None = None


class Order(Struct, frozen=True):
    """What is used of an order."""

    id: str
    symbol: str | None = None
    side: str | None = None
    type: str | None = None
    qty: str | None = None
    filled_qty: str | None = None
    limit_price: str | None = None
    filled_avg_price: str | None = None
    status: str = ""


class MarkedLink(Link, frozen=True):
    """The same, with whose money it is."""

    paper: bool = True


class Dashboard(Struct, frozen=True):
    """What is used of an account's dashboard."""

    stale: bool
    stale_reason: str | None
    link: MarkedLink
    account: Money | None
    positions: list[Position] | None
    orders: list[Order] | None


class AccountScreen(Screen[None]):
    """Figures, positions and orders of one account."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "back"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, daemon: DaemonClient, label: str) -> None:
        super().__init__()
        self.label = label
        self._daemon = daemon

    def compose(self) -> ComposeResult:
        yield Static(Text(self.label, style="bold"), id="head")
        yield Static("Positions", classes="title")
        yield DataTable(id="positions", cursor_type="row")
        yield Static("Orders", classes="title")
        yield DataTable(id="orders", cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        self._table("#positions").add_columns(
            "SYMBOL", "QTY", "AVERAGE", "PRICE", "VALUE", "OPEN P/L"
        )
        self._table("#orders").add_columns(
            "SYMBOL", "SIDE", "TYPE", "FILLED", "QTY", "LIMIT", "AVERAGE", "STATUS"
        )
        self.ask()
        self.set_interval(ASK_EVERY_S, self.ask)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def ask(self) -> None:
        """Ask the daemon, beside the screen's own loop."""
        try:
            found = self._daemon.ask(f"/realtime/dashboard/{self.label}", Dashboard)
        except LinkError as error:
            self.app.call_from_thread(self.show_trouble, error.message)
        else:
            self.app.call_from_thread(self.show, found)

    def show_trouble(self, reason: str) -> None:
        """Say why there is nothing newer than what stands here."""
        text = Text.assemble((self.label, "bold"), (f" · {reason}: this is old", "bold red"))
        self.query_one("#head", Static).update(text)

    def show(self, found: Dashboard) -> None:
        """Show a dashboard."""
        self.query_one("#head", Static).update(_head(self.label, found))
        _fill(self._table("#positions"), [_position(each) for each in found.positions or ()])
        orders = (found.orders or ())[:ORDERS_SHOWN]
        _fill(self._table("#orders"), [_order(each) for each in orders])

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(name, DataTable)


def _head(label: str, found: Dashboard) -> Text:
    real = "" if found.link.paper else " LIVE MONEY"
    head = Text.assemble((label, "bold"), (real, "bold red"), f" · {clean(found.link.state)}")
    if found.stale:
        head.append(f", stale: {clean(found.stale_reason or 'no word on why')}", "yellow")
    money_of = found.account
    if money_of is None:
        return head.append(" · never read so far", "yellow")
    return head.append(
        f" · equity {money(money_of.equity)} · cash {money(money_of.cash)}"
        f" · buying power {money(money_of.buying_power)}"
    )


def _fill(table: DataTable[Text], rows: list[tuple[Text, ...]]) -> None:
    at, scrolled = table.cursor_row, table.scroll_y
    table.clear()
    for row in rows:
        table.add_row(*row)
    table.move_cursor(row=at, scroll=False)
    table.scroll_to(y=scrolled, animate=False)


def _position(each: Position) -> tuple[Text, ...]:
    profit = each.unrealized_pl
    tone = "" if not profit else "red" if profit.startswith("-") else "green"
    return (
        Text(clean(each.symbol), style="bold"),
        _right(each.qty),
        _right(money(each.avg_entry_price)),
        _right(money(each.current_price)),
        _right(money(each.market_value)),
        _right(money(profit), tone),
    )


def _order(each: Order) -> tuple[Text, ...]:
    tone = "green" if each.side == "buy" else "red"
    return (
        Text(clean(each.symbol or "legs"), style="bold"),
        Text(clean(each.side or ""), style=tone),
        Text(clean(each.type or "")),
        _right(each.filled_qty or "0"),
        _right(each.qty or ""),
        _right(money(each.limit_price)),
        _right(money(each.filled_avg_price)),
        Text(clean(each.status)),
    )


def _right(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style, justify="right")
