"""`realtime reload`: make a running daemon read its files again."""

from pathlib import Path

import click

from realtime.cli.options import daemon_options

CHANGES = ("added", "removed", "exchanged", "rotated", "restarted", "described", "notify")


@click.command()
@daemon_options
def command(*, url: str | None, config: Path | None) -> None:
    """Make a running daemon read accounts.toml and secrets.toml again.

    New accounts start, removed ones stop, changed ones reconnect, the others are not touched. If
    anything in the files is wrong, nothing changes and the errors are shown. SIGHUP does the same.
    Exit code: 0 applied, 3 no daemon responds, 4 the files are wrong and nothing has changed, 5 the
    token is missing or refused. REALTIME_TOKEN is sent if set.
    """
    # `--help` must not import what only the command needs.
    from realtime.cli.client import connect  # noqa: PLC0415 - as above
    from realtime.config.settings_diff import SettingsDiff  # noqa: PLC0415 - as above

    diff = connect(url, config).post("/admin/reload", SettingsDiff)
    for name in CHANGES:
        if labels := getattr(diff, name):
            click.echo(f"{name:10} {' '.join(labels)}")
    click.echo(f"{'unchanged':10} {diff.unchanged}")
    if diff.needs_restart:
        click.echo(f"only after a restart: {', '.join(diff.needs_restart)}")
