"""Options that several commands share."""

import math
from collections.abc import Callable, Mapping
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


def listen_options(command: Command) -> Command:
    """Add `--host`, `--port` and `--log-file`: of a daemon that is started."""
    host = click.option("--host", help="Address to listen on; default 127.0.0.1.")
    port = click.option("--port", type=int, help="Port to listen on; default 8090.")
    log_file = click.option(
        "--log-file",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="Write the log here; default: [log] file, else stdout.",
    )
    return host(port(log_file(command)))


def with_log_file(environ: Mapping[str, str], log_file: Path | None) -> dict[str, str]:
    """Return the environment with the log file of the command line in it."""
    return {**environ, **({"REALTIME_LOG_FILE": str(log_file)} if log_file else {})}


def daemon_options(command: Command) -> Command:
    """Add `--url` and `--config`: where the daemon is; see `daemon_address`."""
    url = click.option(
        "--url",
        metavar="URL",
        help="The daemon; default: REALTIME_URL, else [server] of the accounts file, "
        "else http://127.0.0.1:8090.",
    )
    return url(config_option(command))
