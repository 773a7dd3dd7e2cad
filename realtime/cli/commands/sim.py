"""`realtime sim`: serve simulated accounts until told to stop."""

from pathlib import Path

import click

from realtime.cli.flags import Amount

_HELP = """Serve simulated Alpaca accounts: REST, trading stream and faults on one port.

    Keys are demo-LABEL and demo-secret-LABEL: demo-alpha, demo-secret-alpha.

    \b
    curl localhost:8091/_sim                    all switches and faults
    curl localhost:8091/_sim/books/alpha        the exchange's own truth
    curl localhost:8091/_sim/faults -d '{"kind": "cut", "account": "alpha"}'
    curl localhost:8091/_sim/faults -d '{"kind": "rate_limited", "for_s": 30}'
    curl localhost:8091/_sim/faults -X DELETE   all well again
    curl localhost:8091/_sim/traffic -d '{"activity": 0}'

    \b
    Faults of the socket:  cut error_frame second_connection refuse_handshake
      auth_silent listen_silent deaf text_frames msgpack maintenance
      key_revoked after_unauthorized
    Faults of events:  drop duplicate delay reorder duplicate_on_reconnect
      unknown_event unknown_status null_data missing_fields garbage
    Faults of REST:  rate_limited unauthorized server_error latency no_answer
      accepted_but_504 lagging_positions lagging_activities stale_orders

    docs/simulator.md has a line to try for each.
    """


@click.command(help=_HELP)
@click.option(
    "--accounts", type=click.IntRange(1, 10_000), default=25, show_default=True,
    help="How many accounts: alpha, bravo … zulu, account_27 …",
)  # fmt: skip
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed, the same day.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8091, show_default=True,
    help="Port to listen on; 0 picks a free one.",
)  # fmt: skip
@click.option(
    "--activity", type=Amount(0, 100_000), default=20.0, show_default=True,
    help="Events a second that the accounts make by themselves, in total; 0 is quiet.",
)  # fmt: skip
@click.option(
    "--market", type=click.Choice(["always", "nyse"]), default="always", show_default=True,
    help="Stocks trade always, or in New York's hours.",
)  # fmt: skip
@click.option(
    "--write-config", "directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Write accounts.toml and secrets.toml for `realtime run` into DIR.",
)  # fmt: skip
@click.option(
    "--duration", type=Amount(0, 10_000_000, min_open=True), metavar="SECONDS",
    help="Stop after so long; without it, at Ctrl-C.",
)  # fmt: skip
def command(
    accounts: int,
    seed: int,
    host: str,
    port: int,
    activity: float,
    market: str,
    directory: Path | None,
    duration: float | None,
) -> int:
    # Only now: these take a third of a second, which `--help` must not.
    from realtime.simulator.app import Simulator  # noqa: PLC0415
    from realtime.simulator.serve import serve  # noqa: PLC0415

    sim = Simulator(accounts=accounts, seed=seed, activity=activity, market=market)
    serve(
        sim, host=host, port=port, config_dir=directory, duration_s=duration, print_line=click.echo
    )
    return 0
