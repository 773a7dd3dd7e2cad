"""One account: figures, positions and orders, read every second."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from realtime.api.documents.dashboard import DashboardDocument
from realtime.cli.client import DaemonClient
from realtime.cli.formatting import UNKNOWN, clean, format_money, parse_decimal
from realtime.core.model import Order, Position
from realtime.errors import RealtimeError

READ_INTERVAL_S = 1.0
MAX_ORDERS = 50


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
        yield Static(self.label, id="head")
        yield Static("Positions", classes="title")
        yield DataTable(id="positions", cursor_type="row")
        yield Static(f"Orders, the newest {MAX_ORDERS}", classes="title")
        yield DataTable(id="orders", cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        self._table("#positions").add_columns(
            "SYMBOL", "QTY", "AVERAGE", "PRICE", "VALUE", "OPEN P/L"
        )
        self._table("#orders").add_columns(
            "SYMBOL", "SIDE", "TYPE", "FILLED", "QTY", "LIMIT", "AVERAGE", "STATUS"
        )
        self.read()
        self.set_interval(READ_INTERVAL_S, self.read)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def read(self) -> None:
        """Read the dashboard in a thread."""
        try:
            path = f"/realtime/dashboard/{self.label}"
            dashboard = self._daemon.get(path, DashboardDocument)
        except RealtimeError as error:
            self.app.call_from_thread(self.show_error, error.message)
        else:
            self.app.call_from_thread(self.show, dashboard)

    def show_error(self, reason: str) -> None:
        """Show why the figures are not updated."""
        text = Text.assemble(
            (self.label, "bold"), (f" · {clean(reason)}: these figures are old", "bold yellow")
        )
        self.query_one("#head", Static).update(text)

    def show(self, dashboard: DashboardDocument) -> None:
        """Show a dashboard."""
        self.query_one("#head", Static).update(_head(self.label, dashboard))
        positions = [_position(position) for position in dashboard.positions or ()]
        _fill(self._table("#positions"), positions)
        orders = (dashboard.orders or ())[:MAX_ORDERS]
        _fill(self._table("#orders"), [_order(order) for order in orders])

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(name, DataTable)


def figure(text: str, style: str = "") -> Text:
    """Return a right-aligned cell."""
    return Text(clean(text), style=style, justify="right")


def result_style(amount: str | None) -> str:
    """Return the colour of money won or lost; none if it is unknown or rounds to zero."""
    number = parse_decimal(amount)
    if number is None or not round(number, 2):
        return ""
    return "red" if number < 0 else "green"


def _head(label: str, dashboard: DashboardDocument) -> Text:
    badge = ("", "") if dashboard.link.paper else ("REAL MONEY ", "bold")
    head = Text.assemble(badge, (clean(label), "bold"), f" · {clean(dashboard.link.state)}")
    if dashboard.stale:
        reason = dashboard.stale_reason or "reason unknown"
        head.append(f", stale: {clean(reason)}", "yellow")
    account = dashboard.account
    if account is None:
        return head.append(" · not read yet", "yellow")
    return head.append(
        f" · equity {format_money(account.equity)} · cash {format_money(account.cash)}"
        f" · buying power {format_money(account.buying_power)}"
    )


def _fill(table: DataTable[Text], rows: list[tuple[Text, ...]]) -> None:
    row, scrolled = table.cursor_row, table.scroll_y
    table.clear()
    for cells in rows:
        table.add_row(*cells)
    table.move_cursor(row=row, scroll=False)
    table.scroll_to(y=scrolled, animate=False)


def _position(position: Position) -> tuple[Text, ...]:
    profit = position.unrealized_pl
    return (
        Text(clean(position.symbol), style="bold"),
        figure(position.qty),
        figure(format_money(position.avg_entry_price)),
        figure(format_money(position.current_price)),
        figure(format_money(position.market_value)),
        figure(format_money(profit, signed=True), result_style(profit)),
    )


def _order(order: Order) -> tuple[Text, ...]:
    return (
        Text(clean(order.symbol or "legs"), style="bold"),
        Text(clean(order.side or UNKNOWN)),
        Text(clean(order.type or UNKNOWN)),
        figure(order.filled_qty or UNKNOWN),
        figure(order.qty or UNKNOWN),
        figure(format_money(order.limit_price)),
        figure(format_money(order.filled_avg_price)),
        Text(clean(order.status)),
    )
