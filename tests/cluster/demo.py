"""A demonstration: an owner is killed while a client reads and trades at another daemon."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable

from tests.cluster.etcd_servers import EtcdServers, etcd_servers
from tests.cluster.real_fleet import NAMES, RealFleet, real_fleet

ACCOUNTS = 12
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


async def show(fleet: RealFleet, name: str) -> None:
    """Print which daemon owns how many accounts."""
    document = await fleet.get_status(name)
    if document is None:
        print(f"  {name} does not answer")
        return
    for row in document["members"]:
        print(f"  {row['member']:6} owns {row['accounts']} accounts")
    if document["unowned"]:
        print(f"  no daemon owns {document['unowned']} accounts")


async def measure(
    label: str, condition: Callable[[], Awaitable[bool]], fleet: RealFleet, started_at: float
) -> None:
    """Print how many seconds after a loop time something holds."""
    await fleet.wait_for(condition, 200)
    print(f"  {asyncio.get_running_loop().time() - started_at:6.1f} s  {label}")


async def demonstrate(etcd: EtcdServers) -> None:
    """Start everything, kill the owner of an account, and show what a client sees."""
    async with real_fleet(etcd, accounts=ACCOUNTS) as fleet:
        await asyncio.gather(*map(fleet.start, NAMES))
        print("three daemons share the accounts:")
        await fleet.wait_for(lambda: fleet.is_settled(NAMES, ACCOUNTS))
        await show(fleet, "beta")
        _, status = await fleet.ask("beta", "GET", "/realtime/status")
        account = next(
            label for label, row in status["accounts"].items() if row.get("owner") == "gamma"
        )

        async def get_link() -> dict[str, object]:
            _, fleet_status = await fleet.ask("beta", "GET", "/realtime/status")
            row: dict[str, object] = fleet_status["accounts"][account]
            return row

        async def is_stale() -> bool:
            return bool((await get_link())["stale"])

        async def is_polled() -> bool:
            row = await get_link()
            return row["polled_at"] is not None or not row["stale"]

        async def is_placed() -> bool:
            body = {**ORDER, "account_id": account, "client_order_id": "demo-1", "force": True}
            return (await fleet.ask("beta", "POST", "/orders", body))[0] == 200

        async def is_current() -> bool:
            return not (await get_link())["stale"]

        print(f"gamma, the owner of {account}, is killed; a client of beta sees:")
        await fleet.kill("gamma")
        killed_at = asyncio.get_running_loop().time()
        await measure("the account is answered, marked stale", is_stale, fleet, killed_at)
        await measure("it was read by REST", is_polled, fleet, killed_at)
        await measure("an order is placed at its next owner", is_placed, fleet, killed_at)
        await measure("it is streamed again", is_current, fleet, killed_at)
        await show(fleet, "beta")
        ids = await fleet.get_order_ids(account)
        print(f"the broker has the order {ids.count('demo-1')} time")


def main() -> int:
    """Run the demonstration; return the exit code."""
    if shutil.which("etcd") is None:
        print("etcd is not installed: apt-get install etcd-server", file=sys.stderr)
        return 1
    with etcd_servers() as etcd:
        asyncio.run(demonstrate(etcd))
    return 0


if __name__ == "__main__":
    sys.exit(main())
