"""After a stop nothing is left: no task, no socket, no timer."""

import asyncio
from collections.abc import Collection

from tests.world.network import Network
from tests.world.oracles.violation import Violation


def tasks_now() -> set[asyncio.Task[object]]:
    """Every task that is not done."""
    return {task for task in asyncio.all_tasks() if not task.done()}


def check_stopped(network: Network, before: Collection[asyncio.Task[object]]) -> None:
    """The daemon has stopped: of its own nothing remains. `before`: tasks older than its start."""
    names = sorted(
        task.get_name() for task in tasks_now() - set(before) if not _is_brokers(task.get_name())
    )
    if names:
        raise Violation("leftovers", f"tasks {names}")
    sockets = [f"{c.path.label} {c.path.kind}" for c in network.open()]
    if sockets:
        raise Violation("leftovers", f"sockets {sockets}")


def check_ended(before: Collection[asyncio.Task[object]]) -> None:
    """Everything has stopped."""
    names = sorted(task.get_name() for task in tasks_now() - set(before))
    if names:
        raise Violation("leftovers", f"tasks {names}")


def _is_brokers(name: str) -> bool:
    return name.startswith(("simulator:", "Task-"))
