"""Recordings replayed: every frame is decoded, and events and reads give the same state."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from realtime.broker.codec import (
    decode_account,
    decode_fills,
    decode_frame,
    decode_orders,
    decode_positions,
)
from realtime.core.apply import apply
from realtime.core.model import TradeUpdate
from realtime.core.outcomes import Snapshot
from realtime.core.protocol import Authorization, Ignored, Listening, Unreadable
from realtime.core.reconcile import reconcile
from realtime.core.state import EMPTY, AccountState
from realtime.simulator.app import Simulator
from tests.recording.recorder import Recorder

RECORDINGS = sorted(Path(__file__).with_name("data").glob("*.jsonl"))
START, LATER = 1_790_000_000.0, 1_790_003_600.0


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def snapshot(recording: list[dict[str, Any]], at: int, now: float) -> Snapshot:
    """The read number `at` of a recording: 0 is the one before the events, -1 the last."""

    def body(path: str) -> bytes:
        found = [
            e["body"] for e in recording if e["kind"] == "rest" and e["path"].split("?")[0] == path
        ]
        return msgspec.json.encode(found[at])

    return Snapshot(
        requested_at=now,
        account=decode_account(body("/v2/account")),
        positions=decode_positions(body("/v2/positions")),
        orders=decode_orders(body("/v2/orders")),
        fills=decode_fills(body("/v2/account/activities/FILL")),
    )


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_events_lead_to_what_rest_reports(path: Path) -> None:
    recording = entries(path)
    state: AccountState = reconcile(EMPTY, snapshot(recording, 0, START)).state
    messages = [decode_frame(json.dumps(e["body"])) for e in recording if e["kind"] == "frame"]
    assert [type(m) for m in messages[:2]] == [Authorization, Listening]
    updates = [message for message in messages if isinstance(message, TradeUpdate)]
    assert updates
    assert not [m for m in messages if isinstance(m, Unreadable | Ignored)]
    for at, update in enumerate(updates):
        applied = apply(state, update, START + at)
        # A replacement is announced before its own first event.
        assert {doubt.kind for doubt in applied.anomalies} <= {"successor_unknown"}, update
        state = applied.state
    last = reconcile(state, snapshot(recording, -1, LATER))
    assert not last.discrepancies
    assert not last.recovered


async def test_the_simulator_is_recorded_like_a_broker() -> None:
    """Every ordinary event is in it, and nothing of the key."""
    async with Simulator(accounts=1, seed=3, market="open") as simulator:

        def trade() -> None:
            for _ in range(20):
                simulator.step(prices_move=False)

        recorder = Recorder(
            simulator.url,
            "demo-alpha",
            "demo-secret-alpha",
            step=trade,
        )
        lines = await recorder.record(0.2, trades=True)
    events = {json.loads(line)["body"]["data"].get("event") for line in lines if '"frame"' in line}
    assert events >= {"new", "fill", "replaced", "canceled"}
    assert not any("demo-secret-alpha" in line for line in lines)


async def test_orders_are_refused_for_a_real_account() -> None:
    recorder = Recorder("https://api.alpaca.markets", "key", "secret")
    with pytest.raises(ValueError, match="not a paper account"):
        await recorder.record(1.0, trades=True)
