"""The screens of `realtime top`: all accounts as a table, and one account."""

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from realtime.cli.client import DaemonClient
from realtime.cli.text_format import clean, money, whole
from realtime.cli.top.account_screen import AccountScreen
from realtime.cli.top.rows import SORTS, AccountRows, RowFigures, keep_rows
from realtime.errors import RealtimeError

DRAW_EVERY_S = 0.5
TONES = {"synced": "green", "refused": "red", "disabled": "dim"}
OTHER_TONE = "yellow"
COLUMNS = ("ACCOUNT", "LINK", "EQUITY", "DAY P/L", "CASH", "POS", "OPEN", "WHY")
NUMBERS = frozenset({"EQUITY", "DAY P/L", "CASH", "POS", "OPEN"})


class FleetScreen(Screen[None]):
    """All accounts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "sort('e')", "equity"),
        Binding("p", "sort('p')", "positions"),
        Binding("d", "sort('d')", "day P/L"),
        Binding("n", "sort('n')", "name"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("escape", "clear", "clear", show=False),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, daemon: DaemonClient, rows: AccountRows) -> None:
        super().__init__()
        self.rows = rows
        self.sort = "d"
        self.words = ""
        self._daemon = daemon
        self._labels: list[str] = []
        self._cells: dict[str, tuple[Text, ...]] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield DataTable(id="fleet", cursor_type="row", zebra_stripes=False)
        yield Input(placeholder="part of an account's label", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        table = self.table
        for name in COLUMNS:
            head = Text(name, justify="right" if name in NUMBERS else "left")
            table.add_column(head, key=name)
        self.query_one("#filter").display = False
        table.focus()
        self.draw()
        self.set_interval(DRAW_EVERY_S, self.draw)

    @property
    def table(self) -> DataTable[Text]:
        """The table."""
        return self.query_one("#fleet", DataTable)

    def draw(self) -> None:
        """Show what is known by now; only cells that changed are touched."""
        if self.rows.failure is not None:
            self.app.exit(return_code=1)
            return
        shown = self.rows.shown(self.words, SORTS[self.sort])
        cells = {row.account_id: self._row(row) for row in shown}
        labels = list(cells)
        if labels == self._labels:
            self._update(cells)
        else:
            self._fill(cells)
        self._labels, self._cells = labels, cells
        self.query_one("#head", Static).update(self._head())

    def _update(self, cells: dict[str, tuple[Text, ...]]) -> None:
        for label, row in cells.items():
            for name, old, new in zip(COLUMNS, self._cells[label], row, strict=True):
                if old != new:
                    self.table.update_cell(label, name, new)

    def _fill(self, cells: dict[str, tuple[Text, ...]]) -> None:
        table, chosen, scrolled = self.table, self.chosen, self.table.scroll_y
        table.clear()
        for label, row in cells.items():
            table.add_row(*row, key=label)
        if chosen in cells:
            table.move_cursor(row=list(cells).index(chosen), scroll=False)
        table.scroll_to(y=scrolled, animate=False)

    @property
    def chosen(self) -> str | None:
        """The label that the cursor is on."""
        at = self.table.cursor_row
        return self._labels[at] if 0 <= at < len(self._labels) else None

    def _row(self, row: RowFigures) -> tuple[Text, ...]:
        label, link = row.account_id, self.rows.links.get(row.account_id)
        state = link.state if link and self.rows.lost is None else "unknown"
        if state == "synced" and row.stale:
            state = "stale"
        figures = "" if self.rows.is_synced(label) else "dim italic"
        why = link.last_error_message or "" if link and state not in ("synced", "disabled") else ""
        return (
            Text.assemble((label, "bold"), ("" if row.paper else " LIVE", "bold red")),
            Text(clean(state), style=TONES.get(state, OTHER_TONE)),
            _figure(money(row.equity), figures),
            _figure(money(row.day_pl), figures or _result(row.day_pl)),
            _figure(money(row.cash), figures),
            _figure(whole(row.positions), figures),
            _figure(whole(row.open_orders), figures),
            Text(clean(why), style="dim"),
        )

    def _head(self) -> Text:
        rows = self.rows
        live = sum(link.state == "synced" for link in list(rows.links.values()))
        meant = sum(link.state != "disabled" for link in list(rows.links.values()))
        text = Text.assemble(("realtime  ", "bold"))
        if rows.lost is None:
            text.append(f"{whole(live)}/{whole(meant)} synced")
        else:
            text.append(f"{rows.lost}: these figures are old", "bold red")
        text.append(f" · sorted by {SORTS[self.sort].replace('_', ' ')}", "dim")
        if self.words:
            text.append(f" · only *{clean(self.words)}*", "dim")
        return text

    def action_sort(self, key: str) -> None:
        """Sort by what a key stands for."""
        self.sort = key
        self.draw()

    def action_filter(self) -> None:
        """Ask for a part of a label."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        """Show every account again."""
        self.query_one("#filter", Input).value = ""
        self._end_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.words = event.value.strip().lower()
        self.draw()

    def on_input_submitted(self) -> None:
        self._end_filter()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value is not None:
            self.app.push_screen(AccountScreen(self._daemon, event.row_key.value))

    def _end_filter(self) -> None:
        self.query_one("#filter").display = False
        self.table.focus()


def _figure(text: str, style: str = "") -> Text:
    return Text(text, style=style, justify="right")


def _result(day_pl: str | None) -> str:
    if not day_pl or not day_pl.strip("-+0."):
        return ""
    return "red" if day_pl.startswith("-") else "green"


class TopApp(App[None]):
    """`realtime top`."""

    CSS = """
    #head { height: 1; padding: 0 1; }
    #fleet, #positions, #orders { height: 1fr; }
    #filter { dock: bottom; }
    .title { padding: 1 1 0 1; text-style: bold; }
    DataTable > .datatable--header { text-style: none; color: $text-muted; background: $surface; }
    """
    ENABLE_COMMAND_PALETTE = False
    TITLE = "realtime top"

    def __init__(self, daemon: DaemonClient) -> None:
        super().__init__()
        self.rows = AccountRows()
        self._daemon = daemon
        self._end = keep_rows(daemon, self.rows)

    @property
    def failure(self) -> RealtimeError | None:
        """What ended it, if it did not end by itself."""
        return self.rows.failure

    def on_mount(self) -> None:
        self.push_screen(FleetScreen(self._daemon, self.rows))

    def on_unmount(self) -> None:
        self._end()
