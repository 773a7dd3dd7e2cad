"""`realtime reload`: have a running daemon read its files again."""

import click

CHANGED = ("added", "removed", "exchanged", "rotated", "restarted", "described")


@click.command()
def command() -> None:
    """Have a running daemon read accounts.toml and secrets.toml again.

    New accounts start, removed ones stop, changed ones reconnect, the others notice nothing. If
    anything in the files is wrong, nothing changes and you are told what. SIGHUP does the same.
    The daemon is at REALTIME_URL (http://127.0.0.1:8090); REALTIME_TOKEN is sent if set.
    """
    # `--help` must not pay for what only the command itself needs.
    from realtime.cli.client import DaemonClient  # noqa: PLC0415 - as above
    from realtime.config.settings_diff import SettingsDiff  # noqa: PLC0415 - as above

    changes = DaemonClient().tell("/admin/reload", SettingsDiff)
    for how in CHANGED:
        if labels := getattr(changes, how):
            click.echo(f"{how:10} {' '.join(labels)}")
    click.echo(f"{'unchanged':10} {changes.unchanged}")
    if changes.needs_restart:
        click.echo(f"not before a restart: {', '.join(changes.needs_restart)}")
