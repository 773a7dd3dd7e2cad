"""The daemon's side of the history process: started on the first query, again when it has ended.

Replies are read and decoded in a thread: the event loop receives a body of any size as it is.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec
from msgspec import structs

from realtime.api.history.messages import (
    LENGTH_BYTES,
    PARTIAL,
    Envelope,
    HistoryCall,
    HistoryReply,
    Returned,
    frame,
)
from realtime.api.problems import Problem
from realtime.api.responses import ApiResponse
from realtime.history.status import HistoryStatus
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_WAITING = 64
"""Queries under way or waiting; a further one is refused with `Retry-After`."""

REPLY_S = 30.0
"""Limit for a reply: three queries run at a time, each up to 10 s."""

STOP_S = 1.0
RETRY_AFTER_S = 2

_decoder = msgspec.msgpack.Decoder(Returned)


class HistoryClient:
    """Use as `async with`. `wait_committed` waits until the writer has committed up to a time (µs),
    so that a client finds what it has just seen. `status` gives how recording goes."""

    def __init__(
        self,
        directory: Path,
        *,
        status: Callable[[], HistoryStatus] = HistoryStatus,
        environment: Mapping[str, str] | None = None,
        wait_committed: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self.status = status
        self._environment = environment
        """Of the process: where the database is."""
        self._directory = directory
        self._wait_committed = wait_committed
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[HistoryReply]] = {}
        """Calls without a reply, also of clients that have left: the process works on them."""
        self._preparing = 0
        self._process: asyncio.subprocess.Process | None = None
        self._end_of_replies: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def __aenter__(self) -> "HistoryClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._end_of_replies is not None:
            await asyncio.wait([self._end_of_replies], timeout=STOP_S)

    async def fetch(self, call: HistoryCall) -> ApiResponse:
        """The response to a call. Raises `Problem`."""
        if self._preparing + len(self._waiting) >= MAX_WAITING:
            raise Problem(
                "history_busy",
                f"{MAX_WAITING} queries are under way",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        database = self.status().database
        if database is not None and database.is_failing:
            call = structs.replace(call, from_files=True)
        envelope = Envelope(
            number=next(self._numbers), call=call, expires_at=time.monotonic() + REPLY_S
        )
        future: asyncio.Future[HistoryReply] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(REPLY_S):
                process = await self._prepare(call)
                assert process.stdin is not None
                self._waiting[envelope.number] = future
                process.stdin.write(frame(envelope))
                await process.stdin.drain()
                reply = await future
        except TimeoutError:
            raise Problem("history_timeout", f"no reply within {REPLY_S:.0f} s") from None
        except (OSError, ConnectionError) as error:
            raise Problem("history_failed", "the history process has ended") from error
        finally:
            future.cancel()  # it goes on counting until the process has replied
        if reply.problem == "history_failed":
            # The reason may name files of this machine: it is for the log.
            log.error("history.query_failed", kind=call.kind, reason=reply.detail)
            raise Problem("history_failed", "unexpected")
        if reply.problem is not None:
            raise Problem(reply.problem, reply.detail)
        headers = {**reply.headers, **_missing(call, self.status())}
        return ApiResponse(body=reply.body, headers=headers)

    async def _prepare(self, call: HistoryCall) -> asyncio.subprocess.Process:
        self._preparing += 1
        try:
            if self._wait_committed is not None and (newest := max(call.at_us, call.to_us)):
                await self._wait_committed(newest)
            return await self._started()
        finally:
            self._preparing -= 1

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        async with self._starting:
            if self._process is not None and self._process.returncode is None:
                return self._process
            source, sink = os.pipe()
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "realtime.api.history.process",
                    str(self._directory),
                    env=None if self._environment is None else {**os.environ, **self._environment},
                    stdin=asyncio.subprocess.PIPE,
                    stdout=sink,
                )
            except BaseException:
                os.close(source)
                raise
            finally:
                os.close(sink)
            self._process = process
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            threading.Thread(
                target=_read_replies,
                args=(source, loop, self._handle, ended.set),
                name="history-replies",
                daemon=True,
            ).start()
            self._end_of_replies = asyncio.create_task(
                self._fail_after(ended, process), name="history-replies"
            )
            return process

    def _handle(self, returned: Returned) -> None:
        """Hand a reply to the client that waits for it."""
        future = self._waiting.pop(returned.number, None)
        if future is not None and not future.done():
            future.set_result(returned.reply)

    async def _fail_after(self, ended: asyncio.Event, process: asyncio.subprocess.Process) -> None:
        """When the process has ended, calls that wait for it fail."""
        await ended.wait()
        with suppress(ProcessLookupError):
            process.kill()  # also where only its replies have ended
        await process.wait()
        while self._waiting:
            _, future = self._waiting.popitem()
            if not future.done():
                future.set_exception(ConnectionError("the history process has ended"))


def _read_replies(
    source: int,
    loop: asyncio.AbstractEventLoop,
    handle: Callable[[Returned], None],
    end: Callable[[], None],
) -> None:
    """Read replies until the process ends: the thread."""
    with suppress(RuntimeError), open(source, "rb") as replies:  # the loop may be closed
        while len(head := replies.read(LENGTH_BYTES)) == LENGTH_BYTES:
            body = replies.read(int.from_bytes(head, "big"))
            try:
                returned = _decoder.decode(body)
            except msgspec.DecodeError:
                break  # the process ended within a reply
            loop.call_soon_threadsafe(handle, returned)
        loop.call_soon_threadsafe(end)


def _missing(call: HistoryCall, status: HistoryStatus) -> dict[str, str]:
    """Headers of a response about a time of which the files still lack something."""
    since = status.missing_since
    if since is None or max(call.at_us, call.to_us) < since * 1e6:
        return {}
    return {PARTIAL: f"partial; reason={status.condition}", "Cache-Control": "no-cache"}
