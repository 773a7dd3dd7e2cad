"""`realtime sim`: serve simulated accounts until stopped."""

from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from realtime.cli.options import FiniteFloat

MAX_BALANCE = Decimal(1_000_000_000_000)

_HELP = """Serve simulated Alpaca accounts: REST, trading stream and faults on one port.

    Keys are demo-LABEL and demo-secret-LABEL: demo-alpha, demo-secret-alpha.

    \b
    curl localhost:8091/_sim                    all switches and faults
    curl localhost:8091/_sim/books/alpha        the exchange's own state
    curl localhost:8091/_sim/faults -d '{"kind": "cut", "account": "alpha"}'
    curl localhost:8091/_sim/faults -d '{"kind": "rate_limited", "for_s": 30}'
    curl localhost:8091/_sim/faults -X DELETE   end all faults
    curl localhost:8091/_sim/traffic -d '{"activity": 0}'

    \b
    Faults of the websocket:  cut error_frame second_connection refuse_handshake
      auth_silent listen_silent deaf text_frames msgpack maintenance
      key_revoked after_unauthorized
    Faults of events:  drop duplicate delay reorder duplicate_on_reconnect
      unknown_event unknown_status null_data missing_fields garbage
    Faults of REST:  rate_limited unauthorized server_error latency no_answer
      accepted_but_504 lagging_positions lagging_activities stale_orders
      changed_fields

    docs/simulator.md has an example for each.
    """


@click.command(help=_HELP)
@click.option(
    "--accounts", type=click.IntRange(1, 10_000), default=25, show_default=True,
    help="Number of accounts: alpha, bravo … zulu, account_27 …",
)  # fmt: skip
@click.option("--labels", metavar="A,B", help="Labels of the accounts, instead of --accounts.")
@click.option("--balance", metavar="DOLLARS", help="Cash of every account; default: by its tier.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed, the same day.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8091, show_default=True,
    help="Port to listen on; 0 selects a free one.",
)  # fmt: skip
@click.option(
    "--activity", type=FiniteFloat(0, 100_000), default=20.0, show_default=True,
    help="Events per second of all accounts together; 0 is quiet.",
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
    "--duration", type=FiniteFloat(0, 10_000_000, min_open=True), metavar="SECONDS",
    help="Stop after this time; without it, at Ctrl-C.",
)  # fmt: skip
def command(
    accounts: int,
    labels: str | None,
    balance: str | None,
    seed: int,
    host: str,
    port: int,
    activity: float,
    market: str,
    directory: Path | None,
    duration: float | None,
) -> int:
    names, cash = _parse_labels(labels), _parse_balance(balance)
    # Imported here: these take a third of a second, which `--help` must not.
    from msgspec import structs  # noqa: PLC0415

    from realtime.simulator.account_presets import account_specs  # noqa: PLC0415
    from realtime.simulator.app import Simulator  # noqa: PLC0415
    from realtime.simulator.serve import serve  # noqa: PLC0415

    specs = account_specs(len(names) or accounts)
    if names:
        specs = [structs.replace(spec, label=name) for spec, name in zip(specs, names, strict=True)]
    if cash is not None:
        specs = [structs.replace(spec, cash=cash) for spec in specs]
    sim = Simulator(accounts=specs, seed=seed, activity=activity, market=market)
    serve(
        sim, host=host, port=port, config_dir=directory, duration_s=duration, print_line=click.echo
    )
    return 0


def _parse_labels(text: str | None) -> list[str]:
    from realtime.config.validators import LABEL  # noqa: PLC0415 - `--help` must not import it

    if text is None:
        return []
    labels = [label.strip() for label in text.split(",")]
    for label in labels:
        if not LABEL.fullmatch(label):
            raise click.UsageError(f"--labels: expected LABEL,LABEL,…, got {label!r}")
    if len({label.lower() for label in labels}) != len(labels):
        raise click.UsageError("--labels: two labels are the same")
    return labels


def _parse_balance(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        balance = Decimal(text)
    except InvalidOperation:
        balance = Decimal("NaN")
    if not (balance.is_finite() and 0 < balance <= MAX_BALANCE):
        raise click.UsageError(f"--balance: expected dollars such as 100000, got {text!r}")
    return balance
