"""The tasks of the accounts: started at any time, all stopped at the end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager

from realtime.telemetry.log import get_logger

log = get_logger()

STOP_TIMEOUT_S = 3.0
"""Limit for all accounts to close their sockets; the process must end within 5 s of a signal."""

FIRST_CANCEL_S = 1.5
"""After this part of it, a task that did not end is cancelled again."""

MAX_LOGGED_TASKS = 20


class AccountTasks:
    """The running tasks; see `account_tasks`."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: set[asyncio.Task[None]] = set()

    def start(self, run: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Start a task."""
        task = self._group.create_task(run, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def stop_all(self) -> None:
        """Stop every task."""
        await stop_tasks(self._running)


@asynccontextmanager
async def account_tasks() -> AsyncIterator[AccountTasks]:
    """Own the accounts' tasks while the block runs; they are stopped at its end."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = AccountTasks(group)
            try:
                yield tasks
            finally:
                await tasks.stop_all()
    except BaseExceptionGroup as errors:
        # Account tasks handle their own failures, so this is the block's own error.
        raise errors.exceptions[0] from None


async def stop_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them, up to `STOP_TIMEOUT_S`.

    Each is cancelled twice if needed: before Python 3.13 a TaskGroup that ends by an error loses a
    cancellation that arrives in the same moment, as when broker and daemon stop together.
    """
    unfinished = set(tasks)
    for limit_s in (FIRST_CANCEL_S, STOP_TIMEOUT_S - FIRST_CANCEL_S):
        for task in unfinished:
            task.cancel()
        if unfinished:
            _, unfinished = await asyncio.wait(unfinished, timeout=limit_s)
    if unfinished:
        names = sorted(task.get_name() for task in unfinished)
        log.warning("daemon.stop_slow", tasks=names[:MAX_LOGGED_TASKS], count=len(names))
