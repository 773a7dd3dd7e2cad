"""`realtime token`: a token for development, signed with the configuration's own secret."""

import os
import time
from pathlib import Path

import click

from realtime.errors import ConfigError

HOURS = 8.0
MAX_HOURS = 24.0 * 31


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The accounts file; accounts.toml, or what REALTIME_CONFIG says.",
)
@click.option("--user", default="developer", show_default=True, help="The claim user_id.")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="LABEL",
    help="An account that it may see; again for more. Without any: all.",
)
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(["account_access", "market_data", "trading", "admin"]),
    help="What it may do; again for more. Without any: account_access.",
)
@click.option(
    "--hours",
    default=HOURS,
    show_default=True,
    type=click.FloatRange(0, MAX_HOURS, min_open=True),
    help="How long it is good.",
)
@click.option("--link", is_flag=True, help="Print a link that lets a browser in, once.")
def command(
    *,
    config: Path | None,
    user: str,
    accounts: tuple[str, ...],
    permissions: tuple[str, ...],
    hours: float,
    link: bool,
) -> None:
    """Print a token that the daemon of this configuration believes.

    For development: it needs `[auth] secret_file`, and whoever can read that file can do anything.
    In production tokens come from your issuer. Use it as REALTIME_TOKEN, or with --link.
    """
    # `--help` must not pay for what only the command itself needs.
    from realtime.auth.minting import mint  # noqa: PLC0415 - as above
    from realtime.auth.principal import PERMISSIONS  # noqa: PLC0415 - as above
    from realtime.config.loader import load_auth  # noqa: PLC0415 - as above

    auth = load_auth(config, environ=os.environ)
    if auth is None or not any(key.algorithm == "HS256" for key in auth.keys):
        raise ConfigError(
            "no shared secret to sign a token with",
            remedy="set `[auth] secret_file`, or ask your issuer for a token",
        )
    token = mint(
        auth.keys,
        auth.rules,
        user_id=user,
        accounts=accounts or ("*",),
        permissions=[p for p in PERMISSIONS if p in (permissions or ("account_access",))],
        now=time.time(),
        valid_s=hours * 3600,
    )
    click.echo(_link(token) if link else token)


def _link(token: str) -> str:
    """A link of the running daemon."""
    from realtime.cli.client import DaemonClient  # noqa: PLC0415 - only this needs a daemon
    from realtime.cli.session_link import SessionLink  # noqa: PLC0415 - as above

    daemon = DaemonClient({**os.environ, "REALTIME_TOKEN": token})
    return daemon.url + daemon.tell("/session/links", SessionLink).path
