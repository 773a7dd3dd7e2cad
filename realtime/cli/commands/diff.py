"""`realtime diff`: what changed in an account between two moments."""

from pathlib import Path

import click

from realtime.cli.options import daemon_options

SHOWN = ("status", "filled_qty", "filled_avg_price", "qty", "limit_price", "stop_price")


@click.command()
@click.argument("account")
@click.argument("first")
@click.argument("second", required=False)
@daemon_options
def command(
    *, account: str, first: str, second: str | None, url: str | None, config: Path | None
) -> None:
    """Show what changed in ACCOUNT between two moments, by default until now.

    A moment is RFC 3339 (2026-11-30T14:30:00Z), a date (its midnight UTC) or epoch seconds.
    Positions, orders and money are compared; the daemon must record history. Exit code: 0 shown,
    1 nothing is recorded of that time, 2 no such account or no moment, 3 no daemon responds, 5 the
    token is missing or refused. REALTIME_TOKEN is sent if set.
    """
    # `--help` must not import what only the command needs.
    from urllib.parse import quote  # noqa: PLC0415 - as above

    from realtime.api.documents.dashboard import DashboardDocument  # noqa: PLC0415 - as above
    from realtime.cli.client import connect  # noqa: PLC0415 - as above

    daemon = connect(url, config)
    path = f"/realtime/dashboard/{quote(account, safe='')}?closed_orders=500"
    before = daemon.get(f"{path}&as_of={quote(first, safe='')}", DashboardDocument)
    moment = "" if second is None else f"&as_of={quote(second, safe='')}"
    after = daemon.get(f"{path}{moment}", DashboardDocument)
    lines = [*_money(before, after), *_positions(before, after), *_orders(before, after)]
    click.echo(f"{account}: {before.as_of} → {after.as_of}")
    for line in lines or ["nothing changed"]:
        click.echo(f"  {line}")


def _money(before: object, after: object) -> list[str]:
    lines = []
    old, new = getattr(before, "account", None), getattr(after, "account", None)
    for name in ("equity", "cash", "buying_power"):
        was, now = getattr(old, name, None), getattr(new, name, None)
        if was != now:
            lines.append(f"{name:14} {was} → {now}")
    return lines


def _positions(before: object, after: object) -> list[str]:
    old = {p.symbol: p.qty for p in getattr(before, "positions", None) or ()}
    new = {p.symbol: p.qty for p in getattr(after, "positions", None) or ()}
    return [
        f"position       {symbol} {old.get(symbol, '0')} → {new.get(symbol, '0')}"
        for symbol in sorted(old.keys() | new.keys())
        if old.get(symbol) != new.get(symbol)
    ]


def _orders(before: object, after: object) -> list[str]:
    old = {order.id: order for order in getattr(before, "orders", None) or ()}
    lines = []
    for order in getattr(after, "orders", None) or ():
        known = old.get(order.id)
        size = order.qty or f"${order.notional}"
        title = f"order          {order.symbol} {order.side} {size} {order.type}"
        if known is None:
            lines.append(f"{title}: new, {order.status}")
            continue
        changes = [
            f"{name} {getattr(known, name)} → {getattr(order, name)}"
            for name in SHOWN
            if getattr(known, name) != getattr(order, name)
        ]
        if changes:
            lines.append(f"{title}: {', '.join(changes)}")
    return lines
