"""`realtime tail`: what happens, a sentence each, for as long as anybody listens."""

import click

from realtime.cli import FINE

COLOURS = {"good": "green", "warn": "yellow", "bad": "red"}


@click.command()
@click.argument("account", required=False)
@click.option(
    "--lines", "most", type=click.IntRange(min=1), metavar="N", help="End after so many sentences."
)
def command(*, account: str | None, most: int | None) -> int:
    """Follow what happens on a running daemon, on all accounts or on one, until Ctrl-C.

    The daemon is at REALTIME_URL (http://127.0.0.1:8090); REALTIME_TOKEN is sent if set. A lost
    daemon is waited for, and what was missed meanwhile is told if it still knows.
    Exit code: 0 ended by Ctrl-C or after --lines, 2 no such account, 3 no daemon answers.
    """
    # `--help` must not pay for what only the command itself needs.
    from itertools import islice  # noqa: PLC0415 - as above
    from shutil import get_terminal_size  # noqa: PLC0415 - as above
    from sys import stdout  # noqa: PLC0415 - as above

    from realtime.cli.client import DaemonClient  # noqa: PLC0415 - as above
    from realtime.cli.event_format import WIDTH, line, told  # noqa: PLC0415 - as above

    width = get_terminal_size().columns if stdout.isatty() else WIDTH
    try:
        for now, sentence in islice(told(DaemonClient(), account), most):
            click.echo(click.style(line(sentence, now, width), fg=COLOURS.get(sentence.tone)))
    except KeyboardInterrupt:
        pass  # the usual end
    return FINE
