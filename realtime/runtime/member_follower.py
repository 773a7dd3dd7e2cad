"""Follows the feeds of all other members, as they come and go."""

import asyncio
from collections.abc import Callable

from realtime.cluster.feed_client import FeedClient
from realtime.runtime.engine import Engine


class MemberFollower:
    """One for the daemon. `clients` is kept up to date; `make_client` takes an address."""

    def __init__(
        self,
        engine: Engine,
        clients: list[FeedClient],
        make_client: Callable[[str], FeedClient],
    ) -> None:
        self._engine = engine
        self._clients = clients
        self._make_client = make_client
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follow members, until cancelled."""
        unsubscribe = self._engine.coordinator.subscribe(self._changed.set)
        running: dict[str, tuple[FeedClient, asyncio.Task[None]]] = {}
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._changed.clear()
                    addresses = self._get_addresses()
                    for address in running.keys() - addresses:
                        client, task = running.pop(address)
                        task.cancel()
                        await asyncio.wait([task])
                        self._clients.remove(client)
                        await client.end()
                    for address in sorted(addresses - running.keys()):
                        client = self._make_client(address)
                        self._clients.append(client)
                        task = tasks.create_task(client.run(), name=f"feed:{address}")
                        running[address] = (client, task)
                    await self._changed.wait()
        finally:
            unsubscribe()

    def _get_addresses(self) -> set[str]:
        members = self._engine.coordinator.members
        return {
            member.address
            for name, member in members.items()
            if name != self._engine.name and member.address
        }
