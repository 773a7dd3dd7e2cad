"""Three daemons, three etcd servers and the simulator as processes: what users run."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.cluster.etcd_servers import EtcdServers, etcd_servers
from tests.cluster.real_fleet import NAMES, RealFleet, real_fleet

ACCOUNTS = 9

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


async def find_owners(fleet: RealFleet, name: str) -> dict[str, str]:
    """Return account → its owner, as one daemon answers."""
    _, status = await fleet.ask(name, "GET", "/realtime/status")
    return {label: row.get("owner", name) for label, row in status["accounts"].items()}


async def order_until_placed(fleet: RealFleet, account: str, client_order_id: str) -> None:
    """Place an order at one daemon after another, until it is placed."""
    body = {**ORDER, "account_id": account, "client_order_id": client_order_id, "force": True}
    number = 0
    async with asyncio.timeout(120):
        while True:
            names = sorted(fleet.programs)
            status, _ = await fleet.ask(names[number % len(names)], "POST", "/orders", body)
            if status == 200:
                return
            number += 1
            await asyncio.sleep(0.2)


async def kill_and_pause(etcd: EtcdServers) -> None:
    """Orders with ids go on while one owner is killed and another is stopped for 12 s: each is at
    the broker once."""
    async with real_fleet(etcd, accounts=ACCOUNTS) as fleet:
        await asyncio.gather(*map(fleet.start, NAMES))
        await fleet.wait_for(lambda: fleet.is_settled(NAMES, ACCOUNTS))
        owners = await find_owners(fleet, "beta")
        assert set(owners.values()) == set(NAMES)
        async with asyncio.TaskGroup() as tasks:
            for number in range(60):
                account = list(owners)[number % ACCOUNTS]
                tasks.create_task(order_until_placed(fleet, account, f"order-{number}"))
                await asyncio.sleep(0.1)
                if number == 10:
                    await fleet.kill("gamma")
                if number == 20:
                    fleet.send_signal("delta", signal.SIGSTOP)
            await asyncio.sleep(8)
            fleet.send_signal("delta", signal.SIGCONT)
        survivors = ("beta", "delta")
        await fleet.wait_for(lambda: fleet.is_settled(survivors, ACCOUNTS), 240)
        ids: Counter[str] = Counter()
        for account in owners:
            ids.update(await fleet.get_order_ids(account))
        placed = {f"order-{number}": 1 for number in range(60)}
        assert {x: n for x, n in ids.items() if x.startswith("order-")} == placed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_orders_are_at_the_broker_once_while_owners_are_killed_and_stopped() -> None:
    """With real processes."""
    with etcd_servers() as etcd:
        asyncio.run(kill_and_pause(etcd))
