"""Options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


class FiniteFloat(click.FloatRange):
    """A number between bounds; unlike `FloatRange`, `nan` is not one."""

    # Any: click's own type of a value.
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The accounts file; default: REALTIME_CONFIG, else accounts.toml.",
)

yes_option = click.option("--yes", "is_yes", is_flag=True, help="Do not ask for confirmation.")


def daemon_options(command: Command) -> Command:
    """Add `--url` and `--config`: where the daemon is; see `daemon_address`."""
    url = click.option(
        "--url",
        metavar="URL",
        help="The daemon; default: REALTIME_URL, else [server] of the accounts file, "
        "else http://127.0.0.1:8090.",
    )
    return url(config_option(command))
