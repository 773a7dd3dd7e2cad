"""Notifications in virtual time: bursts, filters, quiet hours, failures, the digest."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec import Struct, structs

from realtime.analytics.daily import Flow, make_series
from realtime.config.notify_sections import NOTIFY_TYPES
from realtime.config.settings import NotifySettings
from realtime.core.cash_flows import NetFlows
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import AccountState
from realtime.core.trading_day import TradingDay, find_next_close, make_usual_days
from realtime.errors import LinkError
from realtime.notify import apprise_sender
from realtime.notify.apprise_sender import mask
from realtime.notify.delivery_queue import Failure
from realtime.notify.digest import make_digest
from realtime.notify.notices import Notice
from realtime.notify.notifier import Notifier
from realtime.notify.target import GIVE_UP_S, NotifyTarget
from realtime.secret import Secret
from realtime.telemetry.log import get_logger
from tests import virtual
from tests.api.documents.made import ACCOUNT, LIVE, LOST, order
from tests.notify.scene import Scene, until

log = get_logger()
URL = "slack://T0PSECRETA/T0PSECRETB"


class Message(Struct, frozen=True):
    title: str
    lines: list[str]
    at: float


class Service:
    """A service that notifications are sent to; runs in the sender's place of a thread."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refusal: str | None = None
        self.attempts = 0

    async def send(self, title: str, body: str) -> Failure | None:
        self.attempts += 1
        if self.refusal is not None:
            return Failure("rejected", self.refusal)
        now = asyncio.get_running_loop().time()
        self.messages.append(Message(title, body.split("\n"), now))
        return None

    @property
    def lines(self) -> list[str]:
        return [line for message in self.messages for line in message.lines]


def target_settings(**fields: Any) -> NotifySettings:
    values: dict[str, Any] = {
        "name": "desk",
        "url": Secret(URL),
        "scheme": "slack",
        "types": tuple(name for name in NOTIFY_TYPES if name != "digest"),
        **fields,
    }
    return NotifySettings(**values)


async def no_calendar(_: date, __: date) -> Sequence[TradingDay]:
    raise LinkError("no account is synced")


@asynccontextmanager
async def notifying(
    scene: Scene, *settings: NotifySettings, calendar: Any = no_calendar
) -> AsyncIterator[tuple[Notifier, Service]]:
    service = Service()
    notifier = Notifier(
        scene.store,
        clock=virtual.wall_clock,
        wall_clock=virtual.wall_clock,
        read_calendar=calendar,
    )
    notifier.apply(settings)
    for target in notifier._targets.values():
        target._sender = service  # type: ignore[assignment]  # virtual time has no threads
    task = asyncio.ensure_future(notifier.run())
    await asyncio.sleep(0.1)
    try:
        yield notifier, service
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def update(scene: Scene, event: str, label: str = "alpha", **fields: Any) -> None:
    scene.numbers += 1
    made = order(scene.numbers, symbol="AAPL", side="buy", **fields.pop("order", {}))
    trade = TradeUpdate(event=event, order=made, event_id=str(scene.numbers), **fields)
    scene.store.update(AccountLabel(label), now=virtual.wall_clock(), updates=(trade,))


def fill(scene: Scene, label: str = "alpha", qty: str = "5", price: str = "100.5") -> None:
    update(scene, "fill", label, qty=qty, price=price, order={"status": "filled"})


def reject(scene: Scene, label: str = "alpha") -> None:
    update(scene, "rejected", label, order={"status": "rejected", "qty": "5"})


def test_a_fill_and_a_rejection_in_the_words_of_the_log(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        async with notifying(scene, target_settings()) as (_, service):
            fill(scene)
            await until(lambda: bool(service.messages))
            reject(scene, "bravo")
            await until(lambda: len(service.messages) == 2)
            assert service.lines == [
                "alpha fill AAPL buy 5 @ 100.5 → filled",
                "bravo rejected AAPL buy 5",
            ]
            assert service.messages[0].title == "realtime: fill"

    virtual.run(play)


def test_a_flood_of_rejections_is_one_line_with_a_count(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        async with notifying(scene, target_settings()) as (_, service):
            reject(scene, "bravo")
            await until(lambda: bool(service.messages))
            for n in range(5000):
                reject(scene, "alpha" if n % 5 else "bravo")
            fill(scene)
            await asyncio.sleep(60)
            assert len(service.messages) == 2
            first, second = service.messages
            assert second.at - first.at >= 9.9, "one message in `interval_s`"
            assert second.title == "realtime: 5000 orders rejected, fill"
            assert second.lines[0].startswith("5000 orders rejected in ")
            assert (
                ": alpha 4000, bravo 1000; the first: bravo rejected AAPL buy 5"
                in (second.lines[0])
            )
            assert second.lines[1] == "alpha fill AAPL buy 5 @ 100.5 → filled"

    virtual.run(play)


def test_halts_closings_checks_and_trouble_come_from_the_log(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        async with notifying(scene, target_settings()) as (_, service):
            log.warning("trading.halted", account=None, reason="too hot", principal="ops")
            log.warning("liquidation.started", account="alpha", principal="ops")
            log.warning(
                "order.refused", account="bravo", client_order_id="x-1", code="max_notional",
                guard="max_notional", message="the order is worth 9000",
            )  # fmt: skip
            log.error("link.refused", account="bravo", reason="key refused (401)", remedy="fix it")
            log.info("config.notice", reason="nothing that people are notified of")
            await until(lambda: len(service.lines) >= 4)
            assert set(service.lines) == {
                "trading halted: too hot (ops)",
                "alpha liquidation: canceling all orders, closing all positions",
                "bravo order x-1 refused: the order is worth 9000 (max_notional)",
                "bravo refused: key refused (401); fix it",
            }

    virtual.run(play)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"types": ("rejected",)}, {"rejected"}),
        ({"severity": "warning"}, {"rejected"}),
        ({"accounts": ("bravo",)}, set()),
        ({"tiers": ("gold",)}, {"fill", "rejected"}),
        ({"min_notional": "502.50"}, {"fill", "rejected"}),
        ({"min_notional": "502.51"}, {"rejected"}),
    ],
)
def test_filters(tmp_path: Path, fields: dict[str, Any], expected: set[str]) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        async with notifying(scene, target_settings(**fields)) as (_, service):
            fill(scene)
            reject(scene)
            await asyncio.sleep(60)
            assert {line.split()[1] for line in service.lines} == expected

    virtual.run(play)


def test_out_of_sync_is_reported_after_a_while_and_its_end_only_then(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)

        def set_link(link: Any, label: str = "alpha") -> None:
            scene.store.update(AccountLabel(label), now=virtual.wall_clock(), link=link)

        async with notifying(scene, target_settings(out_of_sync_s=60)) as (_, service):
            set_link(structs.replace(LOST, stale_since=virtual.wall_clock()))
            await asyncio.sleep(50)
            set_link(LIVE)
            await asyncio.sleep(100)
            assert not service.messages, "a short outage is no news"
            set_link(structs.replace(LOST, stale_since=virtual.wall_clock()))
            assert await until(lambda: bool(service.messages)) == pytest.approx(60, abs=2)
            await asyncio.sleep(300)
            set_link(LIVE)
            await until(lambda: len(service.messages) == 2)
            down, back = service.lines
            assert down.startswith("alpha still down after 6")
            assert down.endswith(" s: connection closed (1006)")
            assert back.startswith("alpha back after 36")

    virtual.run(play)


def test_quiet_hours_collect_what_is_no_error(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        # Virtual time begins at 10:13 in New York.
        settings = target_settings(quiet=(10 * 60, 11 * 60))
        async with notifying(scene, settings) as (notifier, service):
            for _ in range(10):
                fill(scene)
                await asyncio.sleep(60)
            assert not service.messages
            assert notifier.rows[0].state == "quiet"
            log.warning("trading.halted", account=None, reason="now", principal="ops")
            await until(lambda: bool(service.messages))
            assert service.lines == ["trading halted: now (ops)"]
            await until(lambda: len(service.messages) == 2, within_s=4000)
            assert service.lines[1].startswith("10 fills in ")
            assert datetime.fromtimestamp(virtual.wall_clock(), UTC).hour == 15

    virtual.run(play, limit_s=8000)


@pytest.mark.parametrize(
    ("quiet", "minute", "expected"),
    [
        ((22 * 60, 7 * 60), 23 * 60, True),
        ((22 * 60, 7 * 60), 6 * 60 + 59, True),
        ((22 * 60, 7 * 60), 7 * 60, False),
        ((9 * 60, 17 * 60), 9 * 60, True),
        ((9 * 60, 17 * 60), 17 * 60, False),
    ],
)
def test_quiet_hours_over_midnight(quiet: tuple[int, int], minute: int, expected: bool) -> None:
    at = datetime(2026, 7, 1, minute // 60, minute % 60, tzinfo=UTC).timestamp()
    settings = target_settings(quiet=quiet, zone="UTC")
    target = NotifyTarget(settings, Service(), lambda: at)  # type: ignore[arg-type]  # not sent
    assert target.is_quiet() == expected


@pytest.mark.slow
def test_what_a_service_refuses_is_sent_later_and_given_up_with_a_count(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        async with notifying(scene, target_settings()) as (notifier, service):
            service.refusal = "Unauthorized"
            fill(scene)
            await until(lambda: service.attempts == 2)
            reject(scene)
            service.refusal = None
            await until(lambda: bool(service.messages))
            assert len(service.lines) == 2, "nothing was lost"
            service.refusal = "Unauthorized"
            fill(scene)
            reject(scene)
            await until(lambda: notifier.rows[0].lost == 2, within_s=GIVE_UP_S * 2)
            assert notifier.rows[0].last_error == "Unauthorized"
            service.refusal = None
            fill(scene)
            await until(lambda: len(service.messages) == 2)
            assert service.messages[1].lines[0] == (
                "2 earlier notifications could not be delivered"
            )

    virtual.run(play, limit_s=20_000)


DAYS = [
    TradingDay("2026-11-25", "09:30", "16:00"),
    TradingDay("2026-11-27", "09:30", "13:00"),  # a half day, after a holiday
    TradingDay("2026-11-30", "09:30", "16:00"),
]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-25T12:00:00-05:00", "2026-11-25T21:00:00+00:00"),
        ("2026-11-25T16:00:00-05:00", "2026-11-27T18:00:00+00:00"),
        ("2026-11-27T13:00:01-05:00", "2026-11-30T21:00:00+00:00"),
    ],
)
def test_the_close_of_half_days_and_after_holidays(after: str, expected: str) -> None:
    close = find_next_close(DAYS, datetime.fromisoformat(after))
    assert close is not None
    assert close.astimezone(UTC).isoformat() == expected


def test_the_usual_days_are_weekdays() -> None:
    days = make_usual_days(date(2026, 11, 27), 4)
    assert [day.date for day in days] == ["2026-11-27", "2026-11-30"]


@pytest.mark.slow
def test_a_digest_is_sent_five_minutes_after_the_close_of_each_day(tmp_path: Path) -> None:
    today = datetime.fromtimestamp(virtual.EPOCH_S, UTC).date()

    async def calendar(first: date, _: date) -> Sequence[TradingDay]:
        days = [TradingDay(today.isoformat(), "09:30", "13:00")]
        tomorrow = today.replace(day=today.day + 1)
        days.append(TradingDay(tomorrow.isoformat(), "09:30", "16:00"))
        return [day for day in days if day.date >= first.isoformat()]

    async def play() -> None:
        scene = Scene(tmp_path)
        settings = target_settings(types=("digest",))
        async with notifying(scene, settings, calendar=calendar) as (_, service):
            await asyncio.sleep(36 * 3600)
            times = [
                datetime.fromtimestamp(virtual.EPOCH_S + message.at, UTC)
                for message in service.messages
            ]
            assert [(t.hour, t.minute) for t in times] == [(17, 5), (20, 5)]
            lines = service.messages[0].lines
            assert lines[0] == "Mon 21 Sep: 2 accounts, 2 in sync"
            assert lines[1] == "equity 200,562.80, day +562.80 (+0.28 %)"

    virtual.run(play, limit_s=200_000)


def test_a_digest_names_best_worst_and_outages(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path, ("a", "b", "c", "d", "e"))
        for label, equity in (("a", "101000"), ("b", "99000"), ("c", "100500"), ("d", "100100")):
            account = structs.replace(ACCOUNT, equity=equity)
            scene.store.update(
                AccountLabel(label), now=virtual.wall_clock(), state=AccountState(account=account)
            )
        scene.store.update(
            AccountLabel("e"), now=virtual.wall_clock(), state=AccountState(), link=LOST
        )
        text = make_digest(
            scene.store,
            {AccountLabel("e"): 600.0, AccountLabel("a"): 59.0},
            date(2026, 11, 27),
            is_calendar_known=False,
        )
        assert text.splitlines() == [
            "Fri 27 Nov (calendar unknown): 5 accounts, 4 in sync",
            "equity 400,600.00, day +600.00 (+0.15 %)",
            "best a +1,000.00 (+1.00 %), c +500.00 (+0.50 %), d +100.00 (+0.10 %)",
            "worst b −1,000.00 (−1.00 %)",
            "1 accounts without figures",
            "out of sync: e 10 min",
        ]

    virtual.run(play)


def test_a_digest_has_the_figures_of_the_comparison(tmp_path: Path) -> None:
    """A deposit is no profit, and the return is on the money that was there with it."""

    async def play() -> None:
        scene = Scene(tmp_path, ("a",))
        record = scene.store.get("a")
        assert record is not None
        account = structs.replace(ACCOUNT, equity="111000")
        paid = structs.replace(
            record,
            profile=structs.replace(record.profile, initial_balance="100000"),
            state=AccountState(account=account),
            net_flows=NetFlows(
                account_id=ACCOUNT.id,
                initial_balance="100000",
                net="10000",
                today="10000",
                read_at=0.0,
            ),
        )
        text = make_digest([paid], {}, date(2026, 11, 27), is_calendar_known=True)
        series = make_series(
            [0], 1_000_000_000, {0: 1_110_000_000}, [Flow(day=0, amount=100_000_000)]
        )
        assert series.returns[0] == pytest.approx(1_000 / 110_000)
        assert "day +1,000.00 (+0.91 %)" in text

    virtual.run(play)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error at https://hooks/T0PSECRETA/x", "error at https://hooks/***/x"),
        ("Unauthorized, error=401", "Unauthorized, error=401"),
        ("t0psecretb rejected", "*** rejected"),
    ],
)
def test_no_part_of_an_address_is_in_a_reason(text: str, expected: str) -> None:
    assert mask(text, URL) == expected


async def test_a_service_that_hangs_costs_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise_sender, "TIMEOUT_S", 0.05)
    release = threading.Event()

    def hang(*_: str) -> str | None:
        release.wait(20)
        return None

    sender = apprise_sender.AppriseSender(target_settings(), hang)
    before = threading.active_count()
    for _ in range(3):
        failure = await sender.send("title", "body")
        assert failure is not None
    assert threading.active_count() == before + 1
    release.set()


async def test_a_plugin_that_raises_is_a_reason_without_its_text() -> None:
    def fail(*_: str) -> str | None:
        raise RuntimeError(URL)

    failure = await apprise_sender.AppriseSender(target_settings(), fail).send("title", "body")
    assert failure is not None
    assert failure.reason == "apprise failed (RuntimeError)"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of apprise's plugins
async def test_apprise_reports_why_and_never_where() -> None:
    pytest.importorskip("apprise")
    url = "json://127.0.0.1:9/T0PSECRETPATH?format=text"
    settings = target_settings(url=Secret(url), scheme="json")
    failure = await apprise_sender.AppriseSender(settings).send("title", "body")
    assert failure is not None
    assert "T0PSECRETPATH" not in failure.reason
    wrong = target_settings(url=Secret("nosuch://T0PSECRETPATH"))
    failure = await apprise_sender.AppriseSender(wrong).send("title", "body")
    assert failure is not None
    assert "does not accept the address" in failure.reason


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of apprise's plugins
async def test_apprise_delivers_to_a_service() -> None:
    pytest.importorskip("apprise")
    received: list[dict[str, object]] = []

    async def take(request: web.Request) -> web.Response:
        received.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/inbox", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        url = Secret(f"json://127.0.0.1:{port}/inbox")
        sender = apprise_sender.AppriseSender(target_settings(url=url, scheme="json"))
        assert await sender.send("alpha", "bought 3 AAPL at 150.25") is None
    finally:
        await runner.cleanup()
    (message,) = received
    assert (message["title"], message["message"]) == ("alpha", "bought 3 AAPL at 150.25")


def test_amounts_are_exact() -> None:
    target = NotifyTarget(
        target_settings(min_notional="0.3"),
        Service(),  # type: ignore[arg-type]  # not sent
        lambda: 0.0,
    )
    notice = Notice(type="fill", severity="info", text="", amount=Decimal("0.1") * 3)
    assert target.selects(notice)
