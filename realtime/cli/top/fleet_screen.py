"""All accounts as a table."""

from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from realtime.api.documents.accounts import AccountRow
from realtime.cli.client import DaemonClient
from realtime.cli.formatting import (
    UNKNOWN,
    clean,
    format_count,
    format_money,
    format_percent,
    format_quantity,
    parse_decimal,
    short_label,
)
from realtime.cli.top.account_screen import AccountScreen, figure, result_style
from realtime.cli.top.rows import SORT_COLUMNS, AccountRows, Totals, sum_totals

DRAW_INTERVAL_S = 0.5
STATE_STYLES = {"synced": "", "refused": "bold yellow", "disabled": "dim"}
OTHER_STYLE = "yellow"
COLUMNS = ("ACCOUNT", "LINK", "EQUITY", "DAY P/L", "DAY %", "CASH", "POS", "OPEN", "WHY")
WIDE_COLUMNS = frozenset({"DAY %", "CASH"})
MIN_WIDTH_FOR_ALL = 110
"""Columns of the terminal; below, `WIDE_COLUMNS` make room for the reason of a problem."""
FIGURES = frozenset({"EQUITY", "DAY P/L", "DAY %", "CASH", "POS", "OPEN"})

Cells = tuple[Text, ...]


class FleetScreen(Screen[None]):
    """All accounts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "toggle_troubles", "troubles first"),
        Binding("e", "sort('e')", "equity"),
        Binding("p", "sort('p')", "positions"),
        Binding("d", "sort('d')", "day P/L"),
        Binding("n", "sort('n')", "name"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("question_mark", "app.help", "help", key_display="?"),
        Binding("escape", "clear", "clear", show=False),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, daemon: DaemonClient, rows: AccountRows) -> None:
        super().__init__()
        self.rows = rows
        self.sort = "d"
        self.filter_text = ""
        self.troubles_first = True
        self._daemon = daemon
        self._columns: tuple[str, ...] = ()
        self._labels: list[str] = []
        self._cells: dict[str, Cells] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield DataTable(id="fleet", cursor_type="row", zebra_stripes=False)
        yield Static(id="empty")
        yield Static(id="selected")
        yield Static(id="totals")
        yield Input(placeholder="part of a label, a name or a tier", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.table.focus()
        self.draw()
        self.set_interval(DRAW_INTERVAL_S, self.draw)

    def on_resize(self) -> None:
        self.draw()

    def _set_columns(self) -> None:
        """Show the columns that fit, if they are others than before."""
        is_wide = self.size.width >= MIN_WIDTH_FOR_ALL
        columns = tuple(name for name in COLUMNS if is_wide or name not in WIDE_COLUMNS)
        if columns == self._columns:
            return
        self._columns, self._labels = columns, []
        self.table.clear(columns=True)
        for name in columns:
            head = Text(name, justify="right" if name in FIGURES else "left")
            self.table.add_column(head, key=name)

    @property
    def table(self) -> DataTable[Text]:
        """The table."""
        return self.query_one("#fleet", DataTable)

    @property
    def selected(self) -> str | None:
        """The label under the cursor."""
        row = self.table.cursor_row
        return self._labels[row] if 0 <= row < len(self._labels) else None

    def draw(self) -> None:
        """Show the present rows; only cells that changed are touched."""
        if self.rows.failure is not None:
            self.app.exit(return_code=1)
            return
        self._set_columns()
        column = SORT_COLUMNS[self.sort]
        rows = self.rows.select(self.filter_text, column, troubles_first=self.troubles_first)
        cells: dict[str, Cells] = {row.account_id: self._row(row) for row in rows}
        labels = list(cells)
        if labels == self._labels:
            self._update(cells)
        else:
            self._fill(cells)
        self._labels, self._cells = labels, cells
        self.table.display = bool(labels)
        self.query_one("#empty").display = not labels
        self._show("empty", Text(self._empty_text(), style="yellow"))
        self._show("head", self._head())
        self._show("selected", self._selected_line())
        self._show("totals", self._totals(rows))

    def _show(self, widget_id: str, text: Text) -> None:
        self.query_one(f"#{widget_id}", Static).update(text)

    def _update(self, cells: dict[str, Cells]) -> None:
        for label, row in cells.items():
            for name, old, new in zip(self._columns, self._cells[label], row, strict=True):
                if old != new:
                    # A column only grows here: measuring a thousand rows for each change is slow.
                    is_wider = cell_len(new.plain) > cell_len(old.plain)
                    self.table.update_cell(label, name, new, update_width=is_wider)

    def _fill(self, cells: dict[str, Cells]) -> None:
        table, selected, scrolled = self.table, self.selected, self.table.scroll_y
        table.clear()
        for label, row in cells.items():
            table.add_row(*row, key=label)
        if selected in cells:
            table.move_cursor(row=list(cells).index(selected), scroll=False)
        table.scroll_to(y=scrolled, animate=False)

    def _row(self, row: AccountRow) -> Cells:
        label = row.account_id
        state = self.rows.state_of(label)
        style = "" if state == "synced" else "dim italic"
        day_pl = parse_decimal(row.day_pl)
        tone = style or result_style(row.day_pl)
        badge = ("", "") if row.paper else ("REAL MONEY ", "bold")
        cells = {
            "ACCOUNT": Text.assemble(badge, (short_label(label), "bold")),
            "LINK": Text(clean(state), style=STATE_STYLES.get(state, OTHER_STYLE)),
            "EQUITY": figure(format_money(row.equity), style),
            "DAY P/L": figure(format_money(row.day_pl, signed=True), tone),
            "DAY %": figure(format_percent(day_pl, parse_decimal(row.last_equity)), tone),
            "CASH": figure(format_money(row.cash), style),
            "POS": figure(format_count(row.positions), style),
            "OPEN": figure(format_count(row.open_orders), style),
            "WHY": Text(clean(self.rows.reason_of(label)), style="dim"),
        }
        return tuple(cells[name] for name in self._columns)

    def _head(self) -> Text:
        states = [link.state for link in list(self.rows.links.values())]
        enabled = len(states) - states.count("disabled")
        text = Text.assemble(("realtime  ", "bold"))
        if self.rows.lost is None:
            text.append(f"{format_count(states.count('synced'))}/{format_count(enabled)} synced")
        else:
            text.append(f"{clean(self.rows.lost)}: these figures are old", "bold yellow")
        order = SORT_COLUMNS[self.sort].replace("day_pl", "day P/L").replace("account_id", "name")
        first = "troubles first, then by " if self.troubles_first else "sorted by "
        text.append(f" · {first}{order}", "dim")
        if self.filter_text:
            text.append(f" · only *{clean(self.filter_text)}*", "dim")
        return text

    def _empty_text(self) -> str:
        if self.filter_text and self.rows.figures:
            return f"no account matches “{clean(self.filter_text)}”; Esc shows all"
        return "no account yet" if self.rows.lost is None else "no account was read yet"

    def _selected_line(self) -> Text:
        """The account under the cursor, its problem in full: the column may be off the screen."""
        label = self.selected
        if label is None:
            return Text()
        reason = self.rows.reason_of(label)
        link = self.rows.links.get(label)
        remedy = link.remedy if reason and link is not None and link.remedy else ""
        row = self.rows.figures.get(label)
        tier = f" · {row.tier}" if row is not None and row.tier else ""
        text = Text.assemble((clean(label), "bold"), (clean(tier), "dim"))
        if reason:
            text.append(f" · {clean(reason)}", OTHER_STYLE)
        if remedy:
            text.append(f" · {clean(remedy)}")
        return text

    def _totals(self, rows: list[AccountRow]) -> Text:
        """Sums of the rows shown; real money and paper money are never added up."""
        lines = []
        for name, paper in (("REAL MONEY", False), ("paper", True)):
            totals = sum_totals(rows, paper=paper)
            if totals is not None:
                lines.append(_totals_line(name, totals))
        return Text("\n").join(lines)

    def action_sort(self, key: str) -> None:
        """Sort by the column of a key."""
        self.sort = key
        self.draw()

    def action_toggle_troubles(self) -> None:
        """Show accounts with a problem first, or not."""
        self.troubles_first = not self.troubles_first
        self.draw()

    def action_filter(self) -> None:
        """Edit the filter."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        """Show every account again."""
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.filter_text = event.value.strip().lower()
        self.draw()

    def on_input_submitted(self) -> None:
        self._close_filter()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value is not None:
            self.app.push_screen(AccountScreen(self._daemon, event.row_key.value))

    def on_data_table_row_highlighted(self) -> None:
        self._show("selected", self._selected_line())

    def _close_filter(self) -> None:
        self.query_one("#filter").display = False
        self.table.focus()


def _totals_line(name: str, totals: Totals) -> Text:
    read = totals.accounts - totals.unread
    text = Text.assemble((f"{name:<11}", "bold"), f"{format_quantity(totals.accounts, 'account')}")
    if not read:
        return text.append(" · none was read yet", "yellow")
    text.append(f" · equity {format_money(totals.equity)}")
    if totals.has_day_pl:
        percent = format_percent(totals.day_pl, totals.last_equity)
        day = f"{format_money(totals.day_pl, signed=True)} {percent}"
        text.append(" · day ").append(day, result_style(format(totals.day_pl, "f")))
    else:
        text.append(f" · day {UNKNOWN}")
    if totals.unread:
        text.append(
            f" · {format_quantity(totals.unread, 'account')} not read, not in the sum", "yellow"
        )
    return text
