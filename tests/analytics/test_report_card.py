"""The report card: counts by account and day."""

from pathlib import Path

import msgspec

from realtime.analytics.report_card import LATENCY_BOUNDS_S, ReportDay, count_cause, make_report
from realtime.history.exact import DAY_US
from tests.analytics.ledgers import LedgerScene

DAY = 20_000


def test_days_are_added_up_and_the_worst_account_is_first(tmp_path: Path) -> None:
    scene = LedgerScene(tmp_path / "history")
    counts = [0] * (len(LATENCY_BOUNDS_S) + 1)
    counts[4] = 100  # up to 25 ms
    bad = ReportDay(outages=2, not_synced_s=90.0, longest_s=60.0, recovered=3, push=counts)
    for label, day, card in (
        ("good", DAY, ReportDay(push=counts)),
        ("bad", DAY, bad),
        ("bad", DAY + 1, ReportDay(outages=1, not_synced_s=5.0, causes={"1006": 1})),
        ("bad", DAY + 9, bad),  # not asked for
    ):
        scene.put_report(label, day, msgspec.json.encode(card).decode())
    for label in ("good", "bad"):
        scene.gap(label, DAY * DAY_US + 10**6, DAY * DAY_US + 3 * 10**6)
    report = make_report(
        scene.reader(), ["good", "bad"], DAY * DAY_US, (DAY + 2) * DAY_US, (DAY + 2) * DAY_US
    )
    scene.close()
    worst = report.accounts[0]
    assert (worst.account_id, worst.outages, worst.not_synced_s) == ("bad", 3, 95.0)
    assert (worst.events_missed, worst.events_recovered, worst.longest_s) == (3, 3, 60.0)
    assert worst.causes == {"1006": 1}
    assert (report.total.push.n, len(report.by_day)) == (200, 3)
    assert report.total.push.p50_ms is not None
    assert 10 <= report.total.push.p50_ms <= 25
    assert report.accounts[1].rest.p50_ms is None
    assert [outage.seconds for outage in report.fleet_outages] == [2.0]


def test_causes_are_bounded() -> None:
    day = ReportDay()
    for number in range(100):
        count_cause(day, str(number))
    assert len(day.causes) == 21
    assert sum(day.causes.values()) == 100


def test_missed_events_are_not_known_while_an_account_is_out_of_sync(tmp_path: Path) -> None:
    scene = LedgerScene(tmp_path / "history")
    for label in ("good", "bad"):
        scene.put_report(label, DAY, msgspec.json.encode(ReportDay(recovered=2)).decode())
    scene.gap("bad", DAY * DAY_US + 10**6, None)
    noon = DAY * DAY_US + DAY_US // 2
    report = make_report(scene.reader(), ["good", "bad"], DAY * DAY_US, noon, noon)
    scene.close()
    by_label = {card.account_id: card for card in (*report.accounts, report.total)}
    assert by_label["good"].events_missed == 2
    for label in ("bad", "all"):
        assert by_label[label].events_missed is None
        assert "out of sync now" in str(by_label[label].events_missed_reason)
        assert by_label[label].events_recovered >= 2
