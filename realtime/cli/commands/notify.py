"""`realtime notify`: webhooks and notifications: how they go, a test, sending again."""

import os
from pathlib import Path

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import config_option, daemon_options


@click.group()
def command() -> None:
    """Show webhooks and notifications, test them, send what is parked again.

    `status` and `resend` ask a running daemon; `test` sends by itself, and needs none.
    """


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print the document.")
@daemon_options
def status(*, as_json: bool, url: str | None, config: Path | None) -> int:
    """Show what is delivered, waits, is parked or lost, and why. Exit code: 0 well, 1 not."""
    # `--help` must not import what only the command needs.
    import msgspec  # noqa: PLC0415 - as above

    from realtime.api.documents.notify import NotifyDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above
    from realtime.cli.notify_format import is_well, print_notify_status  # noqa: PLC0415 - as above

    document = connect(url, config).get("/admin/notify", NotifyDocument)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        print_notify_status(document)
    return SUCCESS if is_well(document) else FAILED


@command.command("resend")
@click.argument("name", required=False)
@daemon_options
def resend(*, name: str | None, url: str | None, config: Path | None) -> None:
    """Send parked messages again, of one webhook or of all, from the first attempt on.

    A parked message goes before later ones of its account that still wait.
    """
    from realtime.api.documents.notify import ResentDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    document = connect(url, config).post("/admin/notify/resend", ResentDocument, {"name": name})
    click.echo(f"sending again to {', '.join(document.webhooks)}; parked: {document.messages}")


@command.command("test")
@click.argument("name", required=False)
@config_option
def test(*, name: str | None, config: Path | None) -> int:
    """Send a test message to every webhook and target, or to one; needs no daemon.

    Exit code: 0 all were accepted, 1 one was not, 2 the files are wrong.
    """
    import asyncio  # noqa: PLC0415 - as above
    import sys  # noqa: PLC0415 - as above

    from realtime.config.loader import load_targets  # noqa: PLC0415 - as above
    from realtime.errors import ConfigError  # noqa: PLC0415 - as above
    from realtime.nearest import nearest  # noqa: PLC0415 - as above
    from realtime.notify.trial import send_tests  # noqa: PLC0415 - as above
    from realtime.telemetry.log import configure  # noqa: PLC0415 - as above

    configure("error", "text", sys.stderr)
    webhooks, targets = load_targets(config, environ=os.environ)
    names = [webhook.name for webhook in webhooks] + [target.name for target in targets]
    if not names:
        raise ConfigError(
            "neither [[webhooks]] nor [[notify]] is configured", remedy="see docs/notify.md"
        )
    if name is not None and name not in names:
        meant = nearest(name, names)
        remedy = f"did you mean {meant}?" if meant else f"known here: {', '.join(names)}"
        raise ConfigError(f"no webhook or target '{name[:64]}'", remedy=remedy)
    results = asyncio.run(
        send_tests(
            [webhook for webhook in webhooks if name in (None, webhook.name)],
            [target for target in targets if name in (None, target.name)],
        )
    )
    for result in results:
        mark = "ok    " if result.error is None else "FAILED"
        click.echo(f"{mark} {result.name}  {result.error or result.detail}")
        if result.remedy:
            click.echo(f"         remedy: {result.remedy}")
    return SUCCESS if all(result.error is None for result in results) else FAILED
