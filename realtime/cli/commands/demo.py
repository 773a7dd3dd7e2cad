"""`realtime demo`: simulated accounts and the daemon together, for a minute or longer."""

import sys

import click

from realtime.cli import FAILED, SUCCESS
from realtime.cli.options import FiniteFloat

MAX_DEFAULT_ACTIVITY = 200.0
"""Events per second without `--activity`: one per account, but no more than this."""

MAX_HISTORY_DAYS = 365


def parse_days(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    """Return the days of `30d` or `30`."""
    digits = text.removesuffix("d")
    if not digits.isascii() or not digits.isdigit() or int(digits) > MAX_HISTORY_DAYS:
        raise click.BadParameter(f"expected 0 to {MAX_HISTORY_DAYS} days such as 30d")
    return int(digits)


PORT = click.IntRange(0, 65_535)


@click.command()
@click.option(
    "--accounts", type=click.IntRange(1, 10_000), default=25, show_default=True,
    help="Number of accounts: alpha, bravo …",
)  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed, the same day.")
@click.option("--port", type=PORT, default=8090, show_default=True, help="The daemon's port.")
@click.option(
    "--sim-port", type=PORT, default=8091, show_default=True, help="The simulator's port."
)
@click.option(
    "--activity", type=FiniteFloat(0, 100_000),
    help="Events per second of all accounts together; default: one per account, at most 200.",
)  # fmt: skip
@click.option(
    "--history", default="30d", show_default=True, metavar="DAYS", callback=parse_days,
    help="Days of invented trading before the start, to compare accounts: 30d; 0: none.",
)  # fmt: skip
@click.option("--no-chaos", is_flag=True, help="No faults.")
@click.option(
    "--duration", type=FiniteFloat(1, 1_000_000), metavar="SECONDS",
    help="End after this time, with the faults of a minute in less if need be; default: Ctrl-C.",
)  # fmt: skip
def command(
    *,
    accounts: int,
    seed: int,
    port: int,
    sim_port: int,
    activity: float | None,
    history: int,
    no_chaos: bool,
    duration: float | None,
) -> int:
    """Run daemon and simulated broker together; needs no keys and leaves no files.

    In its first minute one account's websocket is cut, one is rate-limited, one has its key
    revoked; then the daemon's responses are compared with the broker's books.
    Exit code: 0 nothing was lost, 1 something was, or the simulator ended.
    """
    if port == sim_port != 0:
        raise click.UsageError("--port and --sim-port must differ")
    # `--help` must not import what only the command needs.
    from realtime.cli.demo.demo import DemoOptions, run_demo  # noqa: PLC0415 - as above
    from realtime.cli.demo.narrator import Printer  # noqa: PLC0415 - as above
    from realtime.cli.demo.simulator_process import SimulatorOptions  # noqa: PLC0415 - as above

    default_activity = min(float(accounts), MAX_DEFAULT_ACTIVITY)
    options = DemoOptions(
        simulator=SimulatorOptions(
            accounts=accounts,
            seed=seed,
            port=sim_port,
            activity=default_activity if activity is None else activity,
            past_days=history,
        ),
        port=port,
        has_chaos=not no_chaos,
        duration_s=duration,
    )
    return SUCCESS if run_demo(options, Printer(sys.stdout).print) else FAILED
