"""The line of a fill is the line that any other event would have, and is written in its turn."""

import asyncio
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.secret import Secret
from realtime.telemetry import log as logs
from realtime.telemetry.fill_line import EVENT, MAX_TEXTS, Fill, RedactedTexts
from realtime.telemetry.redaction import redact

NOON = 1_795_262_400.5
FILL = Fill("alpha", "AAPL", "buy", "4", "188.4", "partially_filled", 1.5)
SECRET = "PKHIDDENHIDDEN"
PIECES = st.sampled_from(
    [SECRET, "AAPL", " ", ".", "!", "=", '"', "\\", "\n", "\ud800", "ü", "1.5"]
)
TEXTS = st.lists(PIECES, max_size=4).map("".join) | st.text(max_size=40)
FILLS = st.builds(
    Fill, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, st.none() | st.floats(allow_nan=False)
)


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    yield
    logs.configure(stream=io.StringIO())


def configured(stream: io.StringIO, fmt: logs.Format = "json") -> None:
    logs.configure(stream=stream, fmt=fmt, clock=lambda: NOON)


@given(FILLS, st.none() | TEXTS)
def test_it_is_the_line_of_any_event_with_these_facts(fill: Fill, tier: str | None) -> None:
    Secret(SECRET)
    lines = []
    logs.set_account_tier(fill.account, tier)
    try:
        for is_fill in (True, False):
            configured(stream := io.StringIO())
            if is_fill:
                logs.get_logger().fill(EVENT, fill)
            else:
                logs.get_logger().info(EVENT, **structs.asdict(fill))
            lines.append(stream.getvalue())
    finally:
        logs.set_account_tier(fill.account, None)
    assert lines[0] == lines[1]
    for value in json.loads(lines[0]).values():
        assert not isinstance(value, str) or redact(value) == value


@given(st.lists(st.tuples(TEXTS, st.booleans()), max_size=30))
def test_kept_texts_are_those_without_the_secrets_of_now(steps: list[tuple[str, bool]]) -> None:
    texts = RedactedTexts()
    for text, becomes_secret in steps:
        texts.update()
        assert texts[text] == redact(text)
        if becomes_secret and len(text) >= 8:
            Secret(text)


def test_a_secret_that_appears_later_is_concealed() -> None:
    configured(stream := io.StringIO())
    fill = structs.replace(FILL, symbol="LATERSECRET")
    logs.get_logger().fill(EVENT, fill)
    Secret("LATERSECRET")
    logs.get_logger().fill(EVENT, fill)
    assert [json.loads(line)["symbol"] for line in stream.getvalue().splitlines()] == [
        "LATERSECRET",
        "***",
    ]


def test_kept_texts_are_bounded() -> None:
    texts = RedactedTexts()
    texts.update()
    for number in range(2 * MAX_TEXTS):
        assert texts[str(number)] == str(number)
    assert len(texts._redacted) <= MAX_TEXTS


def test_a_terminal_gets_a_sentence() -> None:
    configured(stream := io.StringIO(), "text")
    logs.get_logger().fill(EVENT, FILL)
    assert "fill AAPL buy 4 @ 188.4 → partially filled (1.5 ms)" in stream.getvalue()


def test_an_observer_receives_it() -> None:
    configured(io.StringIO())
    seen: list[tuple[str, Mapping[str, object]]] = []
    end = logs.get_logger().observe(frozenset({EVENT}), lambda *args: seen.append(args))
    logs.get_logger().fill(EVENT, FILL)
    end()
    logs.get_logger().fill(EVENT, FILL)
    assert seen == [(EVENT, structs.asdict(FILL))]


async def test_fills_of_one_iteration_are_written_together_at_its_end() -> None:
    configured(stream := io.StringIO())
    logs.get_logger().fill(EVENT, FILL)
    logs.get_logger().fill(EVENT, FILL)
    assert stream.getvalue() == ""
    await asyncio.sleep(0)
    assert stream.getvalue().count("\n") == 2


async def test_another_line_comes_after_the_fills_before_it() -> None:
    configured(stream := io.StringIO())
    logs.get_logger().fill(EVENT, FILL)
    logs.get_logger().warning("link.lost", account="alpha")
    logs.get_logger().fill(EVENT, FILL)
    logs.flush_log()
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events == [EVENT, "link.lost", EVENT]


def test_fills_of_a_loop_that_was_stopped_are_written_by_the_next() -> None:
    configured(stream := io.StringIO())

    def log_and_stop() -> None:
        logs.get_logger().fill(EVENT, FILL)
        loop.stop()

    loop = asyncio.new_event_loop()
    loop.call_soon(log_and_stop)
    loop.run_forever()
    loop.close()
    assert stream.getvalue() == ""

    async def log_and_wait() -> None:
        logs.get_logger().fill(EVENT, FILL)
        await asyncio.sleep(0)

    asyncio.run(log_and_wait())
    assert stream.getvalue().count("\n") == 2


async def test_a_new_configuration_loses_no_fill() -> None:
    configured(before := io.StringIO())
    logs.get_logger().fill(EVENT, FILL)
    configured(io.StringIO())
    assert before.getvalue().count("\n") == 1


async def test_fills_that_do_not_fit_into_a_pipe_are_counted_and_not_torn() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        logs.configure(stream=stream, fmt="json")
        lost = logs.get_lost_lines()
        for _ in range(2000):
            logs.get_logger().fill(EVENT, FILL)
        logs.flush_log()
        os.set_blocking(reader, False)
        arrived = os.read(reader, 1 << 20).splitlines()
        assert all(json.loads(line)["event"] == EVENT for line in arrived)
        assert 0 < len(arrived) < 2000
        assert logs.get_lost_lines() - lost == 2000 - len(arrived)
        logs.get_logger().fill(EVENT, FILL)
        assert json.loads(os.read(reader, 1 << 20))["lines_lost"] == 2000 - len(arrived)
        logs.configure(stream=io.StringIO())
    os.close(reader)


async def test_fills_that_a_full_disk_refuses_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.symlink_to("/dev/full")
    logs.configure(file=path)
    lost = logs.get_lost_lines()
    for _ in range(3):
        logs.get_logger().fill(EVENT, FILL)
    logs.flush_log()
    assert logs.get_lost_lines() == lost + 3
