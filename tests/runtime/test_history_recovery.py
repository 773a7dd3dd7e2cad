"""What happened while the daemon did not run comes from the broker, once."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path

from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.history.exact import unpack_id
from realtime.runtime.history_recovery import (
    read_committed_us,
    read_held,
    read_newest,
    recover_all,
)
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from tests import virtual
from tests.fleet import Fleet, fleet
from tests.history.scene import Recording


def fills(recording: Recording) -> dict[str | None, str]:
    with recording.reader.open(recording.directory.ledger) as connection:
        rows = connection.execute("SELECT exe, source FROM fill").fetchall()
    return {unpack_id(exe): source for exe, source in rows}


def play(path: Path) -> None:
    async def scene() -> None:
        simulator = Simulator(accounts=1, seed=9, clock=virtual.nanosecond_clock)
        async with simulator:
            async with fleet(simulator, virtual.world(9)) as running:
                recording = Recording(path, running)
                await trade(running, 3)
                recording.close()
            before = fills(recording)
            for side in ("buy", "buy", "sell", "buy", "sell"):  # while no daemon runs
                trade_one(simulator, side)
                await asyncio.sleep(2)
            async with fleet(simulator, virtual.world(10)) as running:
                await running.until(running.all_synced)
                newest, committed_us = read_newest(path), read_committed_us(path)
                recording = Recording(path, running)
                rest = RestClient(
                    running.http,
                    simulator.url,
                    Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha")),
                    RateLimiter(FleetLimiter()),
                    clock=virtual.wall_clock,
                )
                with suppress(TimeoutError):
                    async with asyncio.timeout(30):
                        await recover_all(
                            lambda: {"alpha": rest},
                            store=running.daemon.store,
                            queue=recording.queue,
                            newest=newest,
                            clock=virtual.wall_clock,
                            read_held=partial(read_held, path, committed_us),
                        )
                recording.writer.write()
                after = fills(recording)
                recording.close()
            books = simulator.exchange.activities("alpha", {"activity_types": "FILL"})
            ids = {str(row["id"]).rpartition("::")[2] for row in books}
            assert set(after) == ids
            assert len(after) >= len(before) + 5
            with recording.reader.open(recording.directory.ledger) as connection:
                sources = connection.execute("SELECT DISTINCT source FROM equity15").fetchall()
                results = connection.execute(
                    "SELECT side, realized FROM fill WHERE source = 'rest'"
                ).fetchall()
                finals = connection.execute("SELECT count(*) FROM final").fetchone()[0]
            assert ("broker",) in sources
            assert finals >= 8
            # What was held before is recorded, so every result is known.
            assert all(gain == 0 for side, gain in results if side == "buy")
            gains = [gain for side, gain in results if side == "sell"]
            assert len(gains) == 2
            assert None not in gains

    virtual.run(scene)


def trade_one(simulator: Simulator, side: str) -> None:
    body = {"symbol": "AAPL", "qty": "1", "side": side, "type": "market", "time_in_force": "day"}
    simulator.exchange.submit("alpha", body)


async def trade(running: Fleet, times: int) -> None:
    await running.until(running.all_synced)
    for _ in range(times):
        running.buy("alpha")
        await asyncio.sleep(2)


def test_fills_orders_and_equity_of_an_absence(tmp_path: Path) -> None:
    play(tmp_path)


def test_deposits_and_daily_equity_of_weeks_come_from_the_broker(tmp_path: Path) -> None:
    """The first start: a month in which no daemon ran."""

    async def scene() -> None:
        simulator = Simulator(accounts=5, seed=9, clock=virtual.nanosecond_clock, past_days=30)
        async with simulator, fleet(simulator, virtual.world(9)) as running:
            await running.until(running.all_synced)
            recording = Recording(tmp_path, running)
            rest = RestClient(
                running.http,
                simulator.url,
                Credentials(Secret("demo-echo"), Secret("demo-secret-echo")),
                RateLimiter(FleetLimiter()),
                clock=virtual.wall_clock,
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(30):
                    await recover_all(
                        lambda: {"echo": rest},
                        store=running.daemon.store,
                        queue=recording.queue,
                        newest={},
                        clock=virtual.wall_clock,
                    )
            recording.writer.write()
            recording.close()
            with recording.reader.open(recording.directory.ledger) as connection:
                closes = connection.execute("SELECT equity, source FROM close").fetchall()
                flows = connection.execute("SELECT type, amount FROM activity").fetchall()
                fills = connection.execute(
                    "SELECT count(*) FROM fill JOIN account ON account.n = acc WHERE label = 'echo'"
                ).fetchone()[0]
                books = connection.execute(
                    "SELECT count(*) FROM origin WHERE client_order_id LIKE 'mom-past-echo-%'"
                ).fetchone()[0]
        assert len(closes) >= 15
        assert {source for _, source in closes} == {"broker"}
        assert {kind for kind, _ in flows} == {"JNLC", "CSD"}
        assert fills >= 80
        assert books == fills

    virtual.run(scene)
