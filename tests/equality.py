"""Whether the daemon's answers equal the broker's, field by field."""

from collections.abc import Mapping, Sequence

from tests.fleet import Fleet

ABSENT = "(absent)"
KEYS = {"positions": "symbol", "orders": "id"}


async def unequal(fleet: Fleet, label: str) -> list[str]:
    """Every field in which the daemon's answers for an account differ from the broker's books."""
    exchange = fleet.simulator.exchange
    theirs = {
        "account": exchange.account(label),
        "positions": exchange.positions(label),
        "orders": exchange.orders(label, {"status": "all", "limit": "500"}),
    }
    ours = {
        "account": await fleet.reader(f"/realtime/account/{label}"),
        "positions": await fleet.reader(f"/realtime/positions/{label}"),
        "orders": await fleet.reader(f"/realtime/orders/{label}?status=all&limit=500"),
    }
    return compare(label, theirs, ours)


def compare(label: str, theirs: Mapping[str, object], ours: Mapping[str, object]) -> list[str]:
    """Every field in which two tellings of an account differ; of orders the newest 500."""
    found = _fields("account", theirs["account"], ours["account"])
    found += _rows("positions", theirs["positions"], ours["positions"])
    found += _rows("orders", _newest(theirs["orders"]), ours["orders"])
    return [f"{label}: {line}" for line in found]


def _newest(orders: object) -> object:
    assert isinstance(orders, Sequence)
    return sorted(orders, key=lambda order: str(order["submitted_at"]), reverse=True)[:500]


def _rows(part: str, theirs: object, ours: object) -> list[str]:
    assert isinstance(theirs, Sequence)
    assert isinstance(ours, Sequence)
    key = KEYS[part]
    there, here = ({row[key]: row for row in rows} for rows in (theirs, ours))
    found = [f"{part}: broker has {k}, daemon has not" for k in there.keys() - here.keys()]
    found += [f"{part}: daemon has {k}, broker has not" for k in here.keys() - there.keys()]
    for k in there.keys() & here.keys():
        found += _fields(f"{part} {k}", there[k], here[k])
    return sorted(found)


def _fields(part: str, theirs: object, ours: object) -> list[str]:
    assert isinstance(theirs, Mapping)
    assert isinstance(ours, Mapping)
    return [
        f"{part}.{name}: broker {theirs.get(name, ABSENT)!r}, daemon {ours.get(name, ABSENT)!r}"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name, ABSENT) != ours.get(name, ABSENT)
    ]
