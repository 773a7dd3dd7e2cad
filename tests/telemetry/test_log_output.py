"""A stream that is full, slow or gone stops nobody; what was lost is counted."""

import contextlib
import io
import json
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from realtime.telemetry import log as logs
from realtime.telemetry.log_output import LogOutput


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        yield reader, stream
    with contextlib.suppress(OSError):  # a test may have closed it
        os.close(reader)


def test_a_line_arrives_at_once(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    LogOutput(stream).write("one → two")
    assert os.read(reader, 100) == "one → two\n".encode()


def test_a_full_disk_raises_nothing() -> None:
    with open("/dev/full", "w") as stream:
        output = LogOutput(stream)
        output.write("one")
        output.write("two")
        assert output.lost == 2


def test_a_closed_pipe_raises_nothing(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    output = LogOutput(stream)
    os.close(reader)
    output.write("one")
    assert output.lost == 1


def test_a_closed_stream_raises_nothing() -> None:
    stream = io.StringIO()
    output = LogOutput(stream)
    stream.close()
    output.write("one")
    assert output.lost == 1


def test_a_reader_that_sleeps_stops_nobody(pipe: tuple[int, TextIO]) -> None:
    """The pipe takes what it holds; the rest is dropped at once, and the next line says so."""
    reader, stream = pipe
    logs.configure(stream=stream, fmt="json")
    log = logs.get_logger()
    for number in range(2000):
        log.info("a.b", number=number, padding="x" * 100)
    os.set_blocking(reader, False)
    arrived = bytearray()
    while True:
        try:
            arrived += os.read(reader, 1 << 20)
        except BlockingIOError:
            break
    numbers = [json.loads(line)["number"] for line in arrived.splitlines()]
    assert numbers == list(range(len(numbers)))
    assert 0 < len(numbers) < 2000
    log.info("a.b")
    assert json.loads(os.read(reader, 1 << 20))["lines_lost"] == 2000 - len(numbers)
    log.info("a.b")
    assert "lines_lost" not in json.loads(os.read(reader, 1 << 20))


def test_a_line_after_a_torn_one_starts_on_its_own(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    output = LogOutput(stream)
    output.write("x" * 1_000_000)  # more than a pipe holds
    assert output.lost == 1
    while os.read(reader, 1 << 20)[-1:] == b"x":
        output.write("next")
        if output.lost == 0:
            break
    assert os.read(reader, 100).endswith(b"\nnext\n")
