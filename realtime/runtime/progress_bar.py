"""The progress bar of a start: `loading 25 accounts`, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text


class AboveBar(StringIO):
    """A stream that writes its lines above the bar in place of through it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def write(self, text: str, /) -> int:
        self._console.print(Text(text.rstrip("\n")), soft_wrap=True)
        return len(text)

    def isatty(self) -> bool:
        return True


@contextmanager
def loading_bar(console: Console, total: int) -> Iterator[Callable[[int], None]]:
    """Show the bar while the block runs; gives what moves it to a count. It leaves no trace."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(
            f"loading {total} {'account' if total == 1 else 'accounts'}", total=total
        )

        def advanced(count: int) -> None:
            progress.update(task, completed=count)

        yield advanced


def is_terminal() -> bool:
    """Whether a person watches what is printed."""
    return sys.stdout.isatty()
