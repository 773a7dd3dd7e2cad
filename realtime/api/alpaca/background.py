"""Work that outlives the request that started it: an order whose client has left, a read that makes
memory current again."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from realtime.api.context import Refresh
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.telemetry.log import get_logger

log = get_logger()

T = TypeVar("T")
Failure = Declined | Unresolved

ANSWER_TIMEOUT_S = 7.5
"""Every change is answered within 8 s: Alpaca's Go client gives up after 10."""

REFRESH_PAUSE_S = 5.0
"""After a read that failed, before the next one of the same account."""


class Background:
    """Owns the tasks. `serve` is part of the application."""

    def __init__(self, refresh: Refresh | None) -> None:
        self._refresh = refresh
        self._group: asyncio.TaskGroup | None = None
        self._refreshing: set[str] = set()

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

    def refresh(self, label: str) -> None:
        """Read an account again, unless that is under way."""
        if self._refresh is None or self._group is None or label in self._refreshing:
            return
        self._refreshing.add(label)
        self._group.create_task(self._read(label, self._refresh), name=f"refresh:{label}")

    async def _read(self, label: str, refresh: Refresh) -> None:
        try:
            await refresh(label)
        except RealtimeError as error:
            log.debug("account.refresh_failed", account=label, reason=error.message)
            await asyncio.sleep(REFRESH_PAUSE_S)
        finally:
            self._refreshing.discard(label)


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
