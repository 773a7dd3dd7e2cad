"""The command line. A command's module is imported when the command runs, so `--help` stays fast.

Each name in `GROUPS` is a module `realtime.cli.commands.<name>` with a click command called
`command`. Its return value is the exit code; a `RealtimeError` becomes text and a remedy here.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

import click

from realtime import __version__
from realtime.errors import ConfigError, LinkError, RealtimeError

SUCCESS = 0
FAILED = 1  # a check failed, an order was refused, or something is degraded
USAGE_ERROR = 2  # arguments or configuration
UNREACHABLE = 3  # no daemon responds
CONFIG_REFUSED = 4  # a running daemon refused its changed files; nothing has changed
DENIED = 5  # the daemon refused the token, or requires one
INTERRUPTED = 130  # Ctrl-C, as shells report it

GROUPS = {
    "Watch": {
        "status": "Show which accounts of a running daemon are not synced, and why.",
        "tail": "Follow fills, refusals and connections of a running daemon.",
        "top": "Show a running daemon's accounts as a table that updates itself.",
        "compare": "Compare accounts, tiers or strategies, with intervals.",
        "quote": "Show the latest quotes of symbols, read through a running daemon.",
        "history": "Show results of past days; check, back up and export the files.",
        "notify": "Show webhooks and notifications; test them, send again.",
        "diff": "Show what changed in an account between two moments.",
    },
    "Run": {
        "demo": "Run daemon and simulated broker together; needs no keys.",
        "sim": "Serve simulated Alpaca accounts, for `run` or your own client.",
        "run": "Follow the accounts of accounts.toml and serve their state.",
        "front": "Serve the accounts of other daemons, without keys.",
        "check": "Test the keys, REST and websocket of each account.",
        "reload": "Make a running daemon read its files again.",
        "cluster": "Several daemons: show who owns what, drain one, go on alone.",
        "token": "Print a token for development, or a sign-in link for a browser.",
        "mcp": "Serve a running daemon's state to an AI agent, read-only.",
        "openapi": "Print the HTTP interface as an OpenAPI 3.1 document.",
    },
    "Trade": {
        "order": "Place one order with the keys of accounts.toml.",
        "close": "Cancel all orders and close all positions.",
        "halt": "The kill switch: stop new orders, until `halt --resume`.",
    },
}
COMMANDS = {name: line for group in GROUPS.values() for name, line in group.items()}


class CommandError(RealtimeError):
    """An error with its own exit code."""

    def __init__(self, message: str, *, remedy: str = "", exit_code: int = FAILED) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code


class Commands(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = _import_command(cmd_name)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for name, commands in GROUPS.items():
            with formatter.section(name):
                formatter.write_dl(list(commands.items()), col_max=12)


def _import_command(name: str) -> click.Command:
    module_name = f"realtime.cli.commands.{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise click.UsageError(f"`realtime {name}` is not part of this version") from error
    command = module.command
    assert isinstance(command, click.Command)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="realtime", message="%(prog)s %(version)s")
def group() -> None:
    """The current state of many Alpaca accounts in one process.

    Start with `realtime demo`; it needs no keys.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    _prepare_streams()
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The program that read our output (`| head`) has ended; the interpreter would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code)


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller; a socket must not get its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open as long as we run
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "→" gets "?", no traceback


def _run(args: Sequence[str] | None) -> int:
    try:
        result = group.main(args, prog_name="realtime", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except RealtimeError as error:
        click.echo(str(error), err=True)
        return exit_code(error)
    return result if isinstance(result, int) else SUCCESS


def exit_code(error: RealtimeError) -> int:
    """Return the exit code for a kind of error."""
    match error:
        case CommandError():
            return error.exit_code
        case ConfigError():
            return USAGE_ERROR
        case LinkError():
            return UNREACHABLE
        case _:
            return FAILED
