"""The keys of `realtime top`."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

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
