"""The progress bar of a start: `loading 25 accounts`, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text


class AboveBar(StringIO):
    """A stream that writes its lines above the bar."""

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
    """Show the bar while the block runs; yields a function that sets its count."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        noun = "account" if total == 1 else "accounts"
        task = progress.add_task(f"loading {total} {noun}", total=total)

        def set_count(count: int) -> None:
            progress.update(task, completed=count)

        yield set_count


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()
