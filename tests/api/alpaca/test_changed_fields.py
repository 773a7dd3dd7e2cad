"""Clients survive changes of Alpaca's documents: a member that is removed, and one that is added.

Each member that no supported client requires (MARKET 5.2) is removed in turn: the daemon stays in
sync, and what it answers is what the broker answers.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.api.alpaca.client import Client, trade

REQUIRED = {
    "/v2/account": {
        "id", "account_number", "status", "cash", "trading_blocked", "transfers_blocked",
        "account_blocked", "created_at",
    },
    "/v2/positions": {
        "asset_id", "symbol", "exchange", "asset_class", "avg_entry_price", "qty", "cost_basis",
        "side",
    },
    "/v2/orders": {
        "id", "client_order_id", "created_at", "updated_at", "submitted_at", "filled_qty", "type",
        "order_class", "time_in_force", "status", "extended_hours",
        # Without these an order is not the order that it is.
        "symbol", "side", "qty",
    },
}  # fmt: skip
ORDER = {
    "symbol": "KO", "qty": "1", "side": "buy", "type": "limit", "limit_price": "1",
    "time_in_force": "gtc",
}  # fmt: skip


def parse(path: str, document: Any) -> None:
    """Parse what alpaca-py parses, with its own models."""
    models = pytest.importorskip("alpaca.trading.models", reason="comes with the extra compat")
    kind = {
        "/v2/account": models.TradeAccount,
        "/v2/positions": models.Position,
        "/v2/orders": models.Order,
    }[path]
    for row in document if isinstance(document, list) else [document]:
        kind(**row)


async def changed(client: Client, path: str, **changes: list[str]) -> None:
    """Change a document at the broker, and let the daemon read it."""
    async with client.fleet.http.delete(f"{client.fleet.simulator.url}/_sim/faults"):
        pass
    await client.fleet.fault(kind="changed_fields", path=path, **changes)
    await client.fleet.refresh("alpha")
    await client.fleet.until(client.fleet.settled)


async def compare(client: Client, path: str, removed: str = "") -> Any:
    """Read a document here and there; both must be the same, but for a removed member that is null
    here, because the daemon computes with it."""
    await asyncio.sleep(1.5)  # within the budget of what is passed on
    here, there = await client.here("GET", path), await client.there("GET", path)
    ours, theirs = here.json, there.json
    for row in ours if isinstance(ours, list) else [ours]:
        if row.get(removed, "") is None:
            del row[removed]
    assert (here.status, ours) == (there.status, theirs)
    return here.json


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ["/v2/account", "/v2/positions"])
def test_no_client_needs_another_member(tmp_path: Path, path: str) -> None:
    async def scene(client: Client) -> None:
        client.fleet.buy("alpha")
        await client.settle()
        document = await compare(client, path)
        row = document[0] if isinstance(document, list) else document
        names = row.keys() - REQUIRED[path]
        assert len(names) > 8
        for name in sorted(names):
            await changed(client, path, removed=[name])
            parse(path, await compare(client, path, name))
        await changed(client, path, added=["of_tomorrow"])
        found = await compare(client, path)
        assert "of_tomorrow" in (found[0] if isinstance(found, list) else found)
        parse(path, found)
        assert client.fleet.record("alpha").link.is_synced

    trade(scene, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_client_needs_another_member_of_an_order(tmp_path: Path) -> None:
    """Also of the response to the order itself, and while it is canceled."""

    async def scene(client: Client) -> None:
        first = (await client.here("POST", "/v2/orders", ORDER)).json
        names = sorted(first.keys() - REQUIRED["/v2/orders"])
        assert len(names) > 15
        for name in [*names, ""]:
            change = {"removed": [name]} if name else {"added": ["of_tomorrow"]}
            await changed(client, "/v2/orders", **change)
            placed = await client.here("POST", "/v2/orders", ORDER)
            assert placed.status == 200, (name, placed.body)
            parse("/v2/orders", placed.json)
            for target in (f"/v2/orders/{placed.json['id']}", "/v2/orders?limit=1"):
                reply = await client.here("GET", target)
                assert reply.status == 200
                parse("/v2/orders", reply.json)
            canceled = await client.here("DELETE", f"/v2/orders/{placed.json['id']}")
            assert canceled.status == 204, (name, canceled.body)
            client.fleet.simulator.step(prices_move=False)
        assert len(client.at_broker()) == len(names) + 2
        assert client.fleet.record("alpha").link.is_synced

    trade(scene, tmp_path)
