"""The application of `realtime top`, and its list of keys."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from realtime.cli.client import DaemonClient
from realtime.cli.top.fleet_screen import FleetScreen
from realtime.cli.top.rows import AccountRows, follow_rows
from realtime.errors import RealtimeError

KEYS = """\
t        troubles first: refused, reconnecting, behind; again: not
e p d n  sort by equity, positions, day P/L, name
/        filter by label, name or tier; Enter keeps it, Esc clears it
Enter    open the account under the cursor; Esc leads back
? Esc    show and close this help
q        quit

Green and red are money won and lost. Figures in italics are not current.
Real money and paper money are never added up."""


class HelpScreen(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "close"),
    ]

    def compose(self) -> ComposeResult:
        yield Static(KEYS, markup=False)


class TopApp(App[None]):
    """`realtime top`: starts the thread that follows the daemon, and shows the fleet."""

    CSS = """
    #head { height: 1; padding: 0 1; }
    #selected, #totals { height: auto; padding: 0 1; }
    #fleet, #positions, #orders { height: 1fr; }
    #empty { height: 1fr; padding: 1; }
    #filter { dock: bottom; }
    .title { padding: 1 1 0 1; text-style: bold; }
    DataTable > .datatable--header { text-style: none; color: $text-muted; background: $surface; }
    HelpScreen { align: center middle; }
    HelpScreen > Static { width: auto; height: auto; padding: 1 2; border: solid $primary; }
    """
    ENABLE_COMMAND_PALETTE = False
    TITLE = "realtime top"

    def __init__(self, daemon: DaemonClient) -> None:
        super().__init__()
        self.rows = AccountRows()
        self._daemon = daemon
        self._stop = follow_rows(daemon, self.rows)

    @property
    def failure(self) -> RealtimeError | None:
        """The error that ended the application, if one did."""
        return self.rows.failure

    def on_mount(self) -> None:
        self.push_screen(FleetScreen(self._daemon, self.rows))

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen())

    def on_unmount(self) -> None:
        self._stop()
