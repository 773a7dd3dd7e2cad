"""The state of webhooks and notifications as a table."""

from rich.console import Console
from rich.table import Table

from realtime.api.documents.notify import NotifyDocument
from realtime.cli.formatting import UNKNOWN, clean, format_count

REMEDIES = {
    "parked": "correct the receiver, then: realtime notify resend {name}",
    "full": "the receiver is too slow or down; events are counted, and a gap reports them",
    "failing": "no action needed: it is tried again",
}


def is_well(document: NotifyDocument) -> bool:
    """Whether everything is delivered."""
    return (
        document.outbox_error is None
        and all(row.state == "ok" and not row.parked for row in document.webhooks)
        and all(row.state != "failing" for row in document.notify)
    )


def print_notify_status(document: NotifyDocument) -> None:
    """Print a line for each webhook and target, and what to do about problems."""
    console = Console(highlight=False)
    if document.outbox_error is not None:
        console.print(f"events cannot be stored: {clean(document.outbox_error)}", style="bold")
        console.print("  remedy: free disk space, or correct [history] path")
    if document.webhooks:
        table = Table(box=None, pad_edge=False)
        table.add_column("WEBHOOK")
        table.add_column("STATE")
        for name in ("DELIVERED", "WAITING", "PARKED", "LOST"):
            table.add_column(name, justify="right")
        table.add_column("LAST ERROR")
        for row in document.webhooks:
            table.add_row(
                clean(row.name),
                row.state,
                *map(format_count, (row.delivered, row.waiting, row.parked, row.lost)),
                clean(row.last_error or UNKNOWN),
            )
        console.print(table)
    if document.notify:
        table = Table(box=None, pad_edge=False)
        table.add_column("NOTIFY")
        table.add_column("STATE")
        for name in ("SENT", "WAITING", "FAILED", "LOST"):
            table.add_column(name, justify="right")
        table.add_column("LAST ERROR")
        for target in document.notify:
            table.add_row(
                clean(target.name),
                target.state,
                *map(format_count, (target.sent, target.waiting, target.failed, target.lost)),
                clean(target.last_error or UNKNOWN),
            )
        console.print(table)
    for row in document.webhooks:
        state = "parked" if row.parked else row.state
        if state in REMEDIES:
            console.print(f"{clean(row.name)}: {REMEDIES[state].format(name=clean(row.name))}")
