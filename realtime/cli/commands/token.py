"""`realtime token`: a token for development, signed with the configuration's own secret."""

import os
import time
from pathlib import Path

import click
from msgspec import Struct

from realtime.cli.options import daemon_options
from realtime.errors import ConfigError

DEFAULT_HOURS = 8.0
MAX_HOURS = 24.0 * 31


class SignInLink(Struct, frozen=True):
    """The member of the daemon's response that is used."""

    path: str


@click.command()
@click.option("--user", default="developer", show_default=True, help="The claim user_id.")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="LABEL",
    help="An account that it may see; repeat for more. Default: all.",
)
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(["account_access", "market_data", "trading", "admin"]),
    help="A permission; repeat for more. Default: account_access.",
)
@click.option(
    "--hours",
    default=DEFAULT_HOURS,
    show_default=True,
    type=click.FloatRange(0, MAX_HOURS, min_open=True),
    help="How long it is valid.",
)
@click.option("--link", is_flag=True, help="Print a link that signs a browser in, once.")
@daemon_options
def command(
    *,
    config: Path | None,
    url: str | None,
    user: str,
    accounts: tuple[str, ...],
    permissions: tuple[str, ...],
    hours: float,
    link: bool,
) -> None:
    """Print a token that the daemon of this configuration accepts.

    For development: it needs `[auth] secret_file`, and a program that can read that file can do
    anything. In production tokens come from your issuer. Use it as REALTIME_TOKEN, or with --link.
    """
    # `--help` must not import what only the command needs.
    from realtime.auth.principal import PERMISSIONS  # noqa: PLC0415 - as above
    from realtime.auth.tokens import issue_token  # noqa: PLC0415 - as above
    from realtime.config.loader import load_auth  # noqa: PLC0415 - as above

    auth = load_auth(config, environ=os.environ)
    if auth is None or not any(key.algorithm == "HS256" for key in auth.keys):
        raise ConfigError(
            "no shared secret to sign a token with",
            remedy="set `[auth] secret_file`, or ask your issuer for a token",
        )
    token = issue_token(
        auth.keys,
        auth.rules,
        user_id=user,
        accounts=accounts or ("*",),
        permissions=[p for p in PERMISSIONS if p in (permissions or ("account_access",))],
        now=time.time(),
        valid_s=hours * 3600,
    )
    click.echo(_sign_in_link(token, url, config) if link else token)


def _sign_in_link(token: str, url: str | None, config: Path | None) -> str:
    from realtime.cli.client import connect  # noqa: PLC0415 - only this needs a daemon

    daemon = connect(url, config, {**os.environ, "REALTIME_TOKEN": token})
    return daemon.url + daemon.post("/session/links", SignInLink).path
