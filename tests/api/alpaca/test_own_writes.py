"""A client reads its own writes at once, whatever the stream does."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.api.alpaca.client import Client, trade

LIST = "/v2/orders?status=all&limit=500"
STAGES = {"pending_new": "new", "accepted": "new", "pending_cancel": "canceled"}
"""Only the stream reports the next stage of an order."""
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"kind": "deaf", "for_s": 3600},
    {"kind": "delay", "seconds": 5.0},
    {"kind": "drop", "count": 50},
)


def summarize(document: Any) -> Any:
    """What a client has changed of orders."""
    if isinstance(document, list):
        return [summarize(order) for order in document]
    names = ("id", "client_order_id", "qty", "limit_price", "replaces", "replaced_by")
    stage = STAGES.get(document["status"], document["status"])
    return {name: document[name] for name in names} | {"stage": stage}


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.get("kind")))
def test_every_change_is_in_the_reads_after_it(tmp_path: Path, fault: dict[str, Any]) -> None:
    """Of orders that rest, so that the broker's lists change by these requests only."""

    async def scene(client: Client) -> None:
        rng = random.Random(7)
        if fault:
            await client.fleet.fault(**fault, account="alpha")
        working: list[str] = []
        for at in range(40):
            deed = rng.choice(("place", "place", "replace", "cancel"))
            if deed == "place" or not working:
                body = {
                    "symbol": rng.choice(("KO", "AAPL")), "qty": str(at + 1), "side": "buy",
                    "type": "limit", "limit_price": "1", "time_in_force": "gtc",
                }  # fmt: skip
                reply = await client.here("POST", "/v2/orders", body)
                if reply.status == 200:
                    working.append(reply.json["id"])
            elif deed == "replace":
                old = working.pop(rng.randrange(len(working)))
                reply = await client.here("PATCH", f"/v2/orders/{old}", {"qty": "7"})
                if reply.status == 200:
                    working.append(reply.json["id"])
            else:
                old = working.pop(rng.randrange(len(working)))
                reply = await client.here("DELETE", f"/v2/orders/{old}")
            assert reply.status in (200, 204, 422, 503), (deed, reply.body)
            for target in (LIST, *(f"/v2/orders/{order_id}" for order_id in working[-2:])):
                here, there = await client.here("GET", target), await client.there("GET", target)
                assert summarize(here.json) == summarize(there.json), (at, deed, target)
            await asyncio.sleep(rng.choice((4.0, 6.0)))
            if rng.random() < 0.3:
                client.fleet.simulator.step(prices_move=False)

    trade(scene, tmp_path)
