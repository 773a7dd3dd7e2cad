"""`realtime tail`: what happens, one line each."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realtime.cli import SUCCESS
from realtime.cli.options import daemon_options

if TYPE_CHECKING:
    from realtime.cli.client import DaemonClient

TYPES = ("order", "account", "positions", "link")
DEFAULT_JSON_TYPES = ("order", "link")


@click.command()
@click.argument("account", required=False)
@click.option("--all", "show_all", is_flag=True, help="Also new, canceled and replaced orders, …")
@click.option(
    "--types",
    metavar="A,B",
    help=f"Only these event types: {', '.join(TYPES)}; all of their lines.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON lines.")
@click.option(
    "--lines", "max_lines", type=click.IntRange(min=1), metavar="N", help="End after N lines."
)
@daemon_options
def command(
    *,
    account: str | None,
    show_all: bool,
    types: str | None,
    as_json: bool,
    max_lines: int | None,
    url: str | None,
    config: Path | None,
) -> int:
    """Follow a running daemon, all accounts or one: fills, refusals, connections; until Ctrl-C.

    If the daemon is lost, the command waits for it and shows what was missed, as far as the daemon
    still knows. REALTIME_TOKEN is sent if set. Exit code: 0 ended by Ctrl-C or after --lines, 2 no
    such account, 3 no daemon responds, 5 the token is missing or refused.
    """
    # `--help` must not import what only the command needs.
    from itertools import islice  # noqa: PLC0415 - as above

    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    selected = _parse_types(types)
    daemon = connect(url, config)
    if as_json:
        wanted = selected or (TYPES if show_all else DEFAULT_JSON_TYPES)
        lines = _json_lines(daemon, account, wanted)
    else:
        lines = _text_lines(daemon, account, selected or TYPES, show_all=show_all or bool(selected))
    try:
        for line in islice(lines, max_lines):
            click.echo(line)
    except KeyboardInterrupt:
        pass  # the usual end
    return SUCCESS


def _parse_types(text: str | None) -> tuple[str, ...]:
    types = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    for name in types:
        if name not in TYPES:
            raise click.UsageError(f"--types: expected some of {', '.join(TYPES)}, got {name!r}")
    return types


def _text_lines(
    daemon: "DaemonClient", account: str | None, types: tuple[str, ...], *, show_all: bool
) -> Iterator[str]:
    from random import Random  # noqa: PLC0415 - as above
    from shutil import get_terminal_size  # noqa: PLC0415 - as above
    from sys import stdout  # noqa: PLC0415 - as above

    from realtime.cli.event_follower import EventFollower, EventsLost  # noqa: PLC0415 - as above
    from realtime.cli.event_format import (  # noqa: PLC0415 - as above
        LINE_WIDTH,
        EventFormatter,
        Line,
        format_line,
    )

    followed = ",".join(types)
    # The snapshot is read without orders: those of all accounts would be large, and are no news.
    first = ",".join(dict.fromkeys(["link", *(name for name in types if name != "order")]))
    follower = EventFollower(daemon, first=first, types=followed, account=account, rng=Random())
    formatter, is_lost = EventFormatter(), False
    width = get_terminal_size().columns if stdout.isatty() else LINE_WIDTH

    def shown(line: Line) -> str:
        text = format_line(line, now, label_width=formatter.label_width, width=width)
        return click.style(text, bold=True) if line.is_problem else text

    for event in follower.events():
        now = time.time()
        if isinstance(event, EventsLost):
            if not is_lost:
                yield shown(Line("–", "lost", f"{event.reason}; reconnecting", is_problem=True))
            is_lost = True
            continue
        if is_lost and event.name == "ready":
            is_lost = False
            yield shown(Line("–", "back", "the daemon responds again"))
        for line in formatter.format_event(event, now):
            if show_all or not line.is_detail:
                yield shown(line)


def _json_lines(
    daemon: "DaemonClient", account: str | None, types: tuple[str, ...]
) -> Iterator[str]:
    from random import Random  # noqa: PLC0415 - as above

    import msgspec  # noqa: PLC0415 - as above

    from realtime.cli.event_follower import EventFollower, EventsLost  # noqa: PLC0415 - as above

    followed = ",".join(types)
    first = "link" if "order" in types else followed
    follower = EventFollower(daemon, first=first, types=followed, account=account, rng=Random())
    is_after_snapshot = False
    for event in follower.events():
        head = {"received_at": time.time()}
        if isinstance(event, EventsLost):
            is_after_snapshot = False
            yield msgspec.json.encode({"type": "lost", **head, "reason": event.reason}).decode()
        elif event.name == "ready":
            is_after_snapshot = True
        elif event.name == "resync" or (is_after_snapshot and event.name != "heartbeat"):
            is_after_snapshot = is_after_snapshot and event.name != "resync"
            data = msgspec.Raw(event.data)
            yield msgspec.json.encode({"type": event.name, **head, "data": data}).decode()
