"""`realtime demo`: simulated accounts and the daemon together; a minute that shows what it does."""

import sys

import click

from realtime.cli import FAILED, FINE
from realtime.cli.flags import Amount

MAX_EVENTS = 200.0
"""Events a second where nobody says how many: one an account, but no more than this."""

PORT = click.IntRange(0, 65_535)


@click.command()
@click.option(
    "--accounts", type=click.IntRange(1, 10_000), default=25, show_default=True,
    help="How many accounts: alpha, bravo …",
)  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed, the same day.")
@click.option("--port", type=PORT, default=8090, show_default=True, help="The daemon's port.")
@click.option(
    "--sim-port", type=PORT, default=8091, show_default=True, help="The simulator's port."
)
@click.option(
    "--activity", type=Amount(0, 100_000),
    help="Events a second of all accounts together; one an account, at most 200.",
)  # fmt: skip
@click.option("--no-chaos", is_flag=True, help="No faults.")
@click.option(
    "--duration", type=Amount(1, 1_000_000), metavar="SECONDS",
    help="End by itself; a minute's programme is squeezed into less. Otherwise until Ctrl-C.",
)  # fmt: skip
def command(
    *,
    accounts: int,
    seed: int,
    port: int,
    sim_port: int,
    activity: float | None,
    no_chaos: bool,
    duration: float | None,
) -> int:
    """Run daemon and simulated broker together; needs no keys and leaves no files.

    In its first minute one account's socket is cut, one is rate-limited, one has its key revoked;
    then the daemon's answers are compared with the broker's books and the figures are told.
    Exit code: 0 nothing lost, 1 something was, or the simulator ended.
    """
    if port == sim_port != 0:
        raise click.UsageError("--port and --sim-port must differ")
    # `--help` must not pay for what only the command itself needs.
    from realtime.cli.demo.demo import DemoOptions, demonstrate  # noqa: PLC0415 - as above
    from realtime.cli.printer import Printer  # noqa: PLC0415 - as above

    wishes = DemoOptions(
        accounts=accounts,
        seed=seed,
        port=port,
        sim_port=sim_port,
        activity=min(float(accounts), MAX_EVENTS) if activity is None else activity,
        has_chaos=not no_chaos,
        duration_s=duration,
    )
    return FINE if demonstrate(wishes, Printer(sys.stdout).say) else FAILED
