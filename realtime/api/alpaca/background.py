"""Work that outlives the request that started it, such as an order whose client has left."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from realtime.orders.errors import Declined, Unresolved
from realtime.telemetry.log import get_logger

log = get_logger()

T = TypeVar("T")
Failure = Declined | Unresolved

ANSWER_TIMEOUT_S = 7.5
"""Every change is answered within 8 s: Alpaca's Go client gives up after 10."""


class Background:
    """Owns the tasks. `serve` is part of the application."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None

    async def serve(self) -> None:
        """Own the tasks until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    def start(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T | Failure]":
        """Start a task. It ends with a value, so that one failure ends nothing else."""
        if self._group is None:
            work.close()
            raise Declined("broker_unreachable", "the daemon is stopping")
        return self._group.create_task(_capture(work, name), name=name)

    async def run(self, work: Coroutine[Any, Any, T], name: str, label: str) -> T:
        """Do something that goes on if its client leaves. Raises `Declined`, `Unresolved`."""
        return await wait_for_answer(self.start(work, name), label, None)


async def wait_for_answer(
    task: "asyncio.Task[T | Failure]", label: str, client_order_id: str | None
) -> T:
    """Return a task's result; it goes on if there is none within `ANSWER_TIMEOUT_S`, or if the
    client leaves. Raises `Declined`, `Unresolved`."""
    done, _ = await asyncio.wait([task], timeout=ANSWER_TIMEOUT_S)
    if not done:
        raise Unresolved(
            f"no result within {ANSWER_TIMEOUT_S:g} s",
            account_id=label,
            client_order_id=client_order_id,
        )
    result = task.result()
    if isinstance(result, Declined | Unresolved):
        raise result
    return result


async def _capture(work: Coroutine[Any, Any, T], name: str) -> T | Failure:
    try:
        return await work
    except (Declined, Unresolved) as error:
        return error
    except Exception:  # a bug: what had begun may have taken effect
        log.exception("server.failed", method="background", path=name)
        return Unresolved("the daemon failed", account_id="", client_order_id=None)
