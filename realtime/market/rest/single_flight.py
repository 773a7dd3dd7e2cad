"""Equal requests that are made at the same time become one.

A flight is a task of the owner's group: it goes on when the client that started it disconnects,
because others may wait for it, and its result is cached. The work inside it has its own limit.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Work by key; one piece of work may be registered under several keys."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._flights: dict[str, asyncio.Future[T]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.joined = 0
        """Requests that waited for a flight which was under way."""

    def __len__(self) -> int:
        return len(self._flights)

    def find(self, key: str) -> asyncio.Future[T] | None:
        """Return the flight under way for a key, and count its new waiter; None: there is none."""
        flight = self._flights.get(key)
        if flight is not None:
            self.joined += 1
        return flight

    def start(
        self, keys: Sequence[str], work: Callable[[], Coroutine[None, None, T]]
    ) -> asyncio.Future[T]:
        """Start work for keys that have no flight."""
        flight: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        for key in keys:
            self._flights[key] = flight
        task = self._tasks.create_task(self._fly(keys, flight, work), name="market data request")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return flight

    def cancel_all(self) -> None:
        """Cancel all work; its waiters are cancelled too."""
        for task in self._running:
            task.cancel()

    async def run(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """Return the result of the flight for a key; start it if there is none."""
        return await wait_for(self.find(key) or self.start([key], work))

    async def _fly(
        self,
        keys: Sequence[str],
        flight: asyncio.Future[T],
        work: Callable[[], Coroutine[None, None, T]],
    ) -> None:
        try:
            result = await work()
        except asyncio.CancelledError:
            flight.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - raised again by each waiter
            flight.set_exception(error)
            flight.exception()  # all waiters may have left: then nothing retrieves it
        else:
            flight.set_result(result)
        finally:
            for key in keys:
                del self._flights[key]


async def wait_for(flight: asyncio.Future[T]) -> T:
    """Return the result of a flight. Cancelling the wait does not cancel the flight."""
    return await asyncio.shield(flight)
