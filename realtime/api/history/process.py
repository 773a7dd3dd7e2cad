"""The history process: reads history files for the daemon, so that its event loop never does.

`python -m realtime.api.history.process DIRECTORY`: calls on stdin, replies on stdout, both as
`messages.frame` writes them. Three queries run at a time, each with a limit. It ends when its stdin
ends, so it does not outlive the daemon.
"""

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import structs

from realtime.api.history.messages import (
    LENGTH_BYTES,
    MAX_MESSAGE_BYTES,
    PARTIAL,
    Envelope,
    HistoryCall,
    HistoryReply,
    Returned,
    frame,
)
from realtime.api.history.renderers import render
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import DAY_US
from realtime.history.postgres.address import Address
from realtime.history.reading import FileReader

CONCURRENT = 3
"""A further query waits: these must not take the cores from the daemon. One comparison is computed
at a time, so other queries do not wait for the second of two."""

QUERY_S = 10.0
NICENESS = 5

_decoder = msgspec.msgpack.Decoder(Envelope)


def main() -> None:
    """Answer calls until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's; it ends us
    os.nice(NICENESS)
    directory = HistoryDirectory(Path(sys.argv[1]))
    lock = threading.Lock()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    with ThreadPoolExecutor(CONCURRENT) as pool:
        while (body := _read(source)) is not None:
            pool.submit(_answer, directory, _decoder.decode(body), sink, lock)


def _read(source: BinaryIO) -> bytes | None:
    head = source.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_MESSAGE_BYTES:
        raise SystemExit("history process: a message is too long")
    body = source.read(length)
    return body if len(body) == length else None


def answer(directory: HistoryDirectory, envelope: Envelope) -> HistoryReply:
    """The reply to a call; whatever fails is a problem in it."""
    now = time.monotonic()
    if now > envelope.expires_at:
        return HistoryReply(problem="history_timeout", detail="it waited too long for others")
    try:
        deadline = min(now + QUERY_S, envelope.expires_at)
        return _render(directory, envelope.call, deadline)
    except Exception as error:  # noqa: BLE001 -- the edge: the daemon logs what is returned
        return HistoryReply(problem="history_failed", detail=f"{type(error).__name__}: {error}")


def _render(directory: HistoryDirectory, call: HistoryCall, deadline: float) -> HistoryReply:
    files = FileReader(directory, deadline=deadline)
    if Address.from_environment(os.environ) is None:
        return render(files, call)
    # Only with `[history] url`: the extra `postgres`.
    from realtime.history.postgres.sessions import DatabaseDown, read_database  # noqa: PLC0415

    if not call.from_files:
        try:
            with read_database(deadline) as rows:
                return render(rows, call)
        except DatabaseDown:
            pass
    reply = render(files, call)
    first = next(iter(files.day_files()), None)
    if first is not None and (call.at_us or call.from_us) >= first.day * DAY_US:
        return reply
    return structs.replace(reply, headers={**reply.headers, PARTIAL: "partial; reason=database"})


def _answer(
    directory: HistoryDirectory, envelope: Envelope, sink: BinaryIO, lock: threading.Lock
) -> None:
    reply = answer(directory, envelope)
    data = frame(Returned(number=envelope.number, reply=reply))
    with lock:
        sink.write(data)
        sink.flush()


if __name__ == "__main__":
    main()
