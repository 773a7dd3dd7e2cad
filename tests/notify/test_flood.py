"""A flood at the broker while one receiver is dead: counted from the broker's stream to the end."""

import asyncio
import random
from pathlib import Path

import pytest

from realtime.notify.webhook_service import WebhookService
from realtime.simulator.app import Simulator
from realtime.store.records import Change
from tests import virtual
from tests.fleet import fleet
from tests.notify.scene import InlineExecutor, receiver, settings_for, until

EVENTS = 5_000
MAX_MESSAGES = 1_000


@pytest.mark.slow
def test_five_thousand_events_a_second_and_a_dead_receiver(tmp_path: Path) -> None:
    """Nothing waits for the dead receiver, and what it misses is counted to the event."""

    async def play() -> None:
        simulator = Simulator(accounts=5, seed=3, clock=virtual.nanosecond_clock)
        async with (
            receiver() as made,
            simulator,
            fleet(simulator, virtual.world(3)) as running,
        ):
            await running.until(running.all_synced)
            service = WebhookService(
                running.daemon.store,
                tmp_path,
                make_connector=lambda _: virtual.VirtualConnector(limit=0),
                clock=virtual.wall_clock,
                rng=random.Random(7).random,
                max_messages=MAX_MESSAGES,
                executor=InlineExecutor(),
            )
            await service.apply(
                [settings_for(made), settings_for("http://127.0.0.1:9/hook/x", name="dead")]
            )
            seen: list[str] = []

            def count(change: Change) -> None:
                seen.extend(update.event for update in change.updates)

            ends = [running.daemon.store.subscribe(call) for call in (service.add, count)]
            task = asyncio.create_task(service.run())
            labels = sorted(simulator.exchange.labels)
            # Each order is accepted and filled: two events.
            for number in range(EVENTS // 2):
                running.buy(labels[number % len(labels)], qty="0.01")
                await asyncio.sleep(2 / EVENTS)
            await until(lambda: len(seen) >= EVENTS, within_s=120)
            for label in labels:
                await running.until_done(label)
            assert running.all_synced()
            await until(lambda: service.make_rows()[0].waiting == 0, within_s=600)
            live, dead = service.make_rows()
            assert (dead.delivered, dead.waiting) == (0, MAX_MESSAGES)
            assert (live.state, dead.state) == ("ok", "full")
            for label in labels:
                of_label = [r.document for r in made.confirmed if r.account == label]
                gaps = [d["data"] for d in of_label if d["type"] == "gap"]
                orders = [d["data"]["event"] for d in of_label if d["type"] == "order"]
                assert all(gap["reason"] == "overflow" for gap in gaps)
                fills = simulator.exchange.activities(label, {"activity_types": "FILL"})
                if not gaps:
                    assert len([e for e in orders if e == "fill"]) == len(fills)
            sent = [r.document for r in made.confirmed]
            lost = sum(d["data"]["lost"] for d in sent if d["type"] == "gap")
            assert sum(d["type"] == "order" for d in sent) + lost == len(seen)
            assert dead.waiting + dead.lost == len(seen)
            for end in ends:
                end()
            task.cancel()
            await asyncio.wait([task])
            await service.stop()

    virtual.run(play)
