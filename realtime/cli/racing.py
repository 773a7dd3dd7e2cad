"""Two things at once, until one of them has ended."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

One = TypeVar("One")
Other = TypeVar("Other")


async def first_of(
    one: Coroutine[object, object, One], other: Coroutine[object, object, Other]
) -> One | Other:
    """Run both until one has ended, then cancel the other; give what the first one gave."""
    async with asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(one), tasks.create_task(other)
        await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        second.cancel()
    return second.result() if first.cancelled() else first.result()
