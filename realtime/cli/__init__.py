"""The commands. A module is imported when its command is asked for, so `--help` stays quick.

Each name of `COMMANDS` is a module `realtime.cli.<name>` with a click command called `command`.
What it returns is the exit code; what it raises on purpose becomes a sentence and a remedy here.
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

FINE = 0
FAILED = 1  # a check failed, or something runs degraded
MISUSED = 2  # usage or configuration
UNREACHABLE = 3  # no daemon answers
INTERRUPTED = 130  # Ctrl-C, as shells have it

COMMANDS = {
    "demo": "Run daemon and simulated broker together; needs no keys.",
    "sim": "Serve simulated Alpaca accounts, for `run` or your own client.",
    "run": "Follow the accounts of accounts.toml and serve their state.",
    "check": "Try the keys, REST and socket of every account.",
    "reload": "Have a running daemon read its files again.",
    "token": "Print a token for development, or a link that lets a browser in.",
    "status": "Ask a running daemon which accounts are not live, and why.",
    "tail": "Follow what happens on a running daemon, a sentence each.",
    "top": "Watch a running daemon's accounts as a table.",
    "openapi": "Print the interface for readers as an OpenAPI 3.1 document.",
    "order": "Place one order by the keys of accounts.toml.",
    "close": "Cancel and close all of an account, or everything.",
    "halt": "The kill switch: stop new orders, until `halt --resume`.",
}


class Commands(click.Group):
    """A group that knows its commands' names and one line of each without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = _imported(cmd_name)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _imported(name: str) -> click.Command:
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
    """The live state of many Alpaca accounts in one process.

    Start with `realtime demo`; it needs no keys.
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    _prepare_streams()
    try:
        code = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has left. Nobody wants the interpreter's own complaint about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code)


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller; a socket must not be given its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open as long as we run
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "→" gets "?", no traceback


def _run(args: Sequence[str] | None) -> int:
    try:
        answer = group.main(args, prog_name="realtime", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except RealtimeError as error:
        click.echo(str(error), err=True)
        return exit_code(error)
    return answer if isinstance(answer, int) else FINE


def exit_code(error: RealtimeError) -> int:
    """Give the exit code that says which kind of trouble this is."""
    match error:
        case ConfigError():
            return MISUSED
        case LinkError():
            return UNREACHABLE
        case _:
            return FAILED
