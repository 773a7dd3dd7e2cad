"""What a scraper reads, by the format's own parser; and the papers that speak of it."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import parser as text_parser
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser

from realtime.analytics.alert_log import AlertLog
from realtime.api.alpaca.trade_hub import TradeHub
from realtime.api.documents.cluster import (
    ClusterDocument,
    EngineDocument,
    EngineFigures,
    FeedFigures,
    MemberRow,
    OwnerRow,
)
from realtime.api.documents.notify import NotifyDocument, TargetRow, WebhookRow
from realtime.api.fastpath.runner import REQUEST_STATS
from realtime.api.history.client import HistoryClient
from realtime.api.metric_sources import RuntimeMetrics
from realtime.api.metrics import trading_stream_families
from realtime.core.mark_error import ErrorWindow, MarkError
from realtime.core.mark_totals import MarkTotals
from realtime.core.model import AccountLabel
from realtime.history.status import CopyStatus, HistoryStatus
from realtime.market.marks.feed import FeedStatus
from realtime.market.marks.status import MarksStatus
from realtime.market.rest.request_budget import BudgetStatus
from realtime.market.rest.status import CacheStatus, RestStatus
from realtime.market.stream.status import StreamRow, StreamsStatus
from realtime.store.store import Store
from realtime.telemetry.histogram import Histogram
from tests.api.documents.made import LIVE, NOW
from tests.api.guarded import ALL, Raw, get, guarded, token
from tests.api.reader import Clock, Reader

DOCS = Path(__file__).parents[2] / "docs"
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.9,*/*;q=0.1"
SPOKEN = re.compile(r"\b(?:realtime|process)_[a-z_]+\b")
ADMIN = ["admin"]
WEBHOOK = WebhookRow(
    name="desk", host="https://hooks.example", state="parked", types=["order"], waiting=3,
    parked=2, delivered=11, failed_attempts=5, lost=7, failures_in_a_row=4,
    last_delivered_at=None, next_attempt_at=None, last_error="status 500", last_error_at=None,
)  # fmt: skip
TARGET = TargetRow(
    name="slack", service="slack", state="ok", types=["fill"], waiting=0, sent=8, failed=1,
    lost=6, last_sent_at=None, last_error=None, last_error_at=None,
)  # fmt: skip
STREAM = StreamRow(
    path="/v2/iex", feed="iex", state="connected", since="", error=None, remedy=None,
    next_attempt_at=None, last_element_at=None, clients=3, subscribed={"trades": 2}, confirmed=2,
    unconfirmed_total=1, unconfirmed=["quotes KO"], elements={"t": 40}, sent=120, conflated=6,
    waiting_bytes=512, slow_clients=1, reconnects=2, ack_differences=4, resumed=0, gaps=0,
    missed_total=5, missed=[],
)  # fmt: skip
STREAMS = StreamsStatus(
    account="alpha", is_default_account=True, plan="basic", feed="iex", option_feed="indicative",
    clients=3, max_clients=1000, streams=[STREAM],
)  # fmt: skip
REST = RestStatus(
    feed="iex", option_feed="indicative", requests=30, stream_hits=8, cache_hits=70, stale_hits=2,
    joined=9, errors=5, rate_limited=1, refused=6,
    budget=BudgetStatus(limit=200, remaining=170, floor=20, resets_in_s=12.0, paused_s=0.0),
    cache=CacheStatus(kind="memory", available=True, entries=3, bytes=4096, evictions=0),
)  # fmt: skip
RUNTIME = RuntimeMetrics(
    market_rest=lambda: REST,
    streams=lambda: STREAMS,
    rest_requests=lambda: {"read": 7, "order": 2},
    rest_rate_limited=lambda: 3,
    rest_budgets=lambda: {"alpha": 150, "bravo": 20},
    orders={"placed": 4, "unknown": 1},
    halted=lambda: True,
    reloads=lambda: (False, NOW),
    log_lines_lost=lambda: 9,
    notify=lambda: NotifyDocument(as_of="", outbox_error=None, webhooks=[WEBHOOK], notify=[TARGET]),
)


def read(text: str) -> dict[str, Metric]:
    families = text_parser.text_string_to_metric_families(text)
    return {family.name: family for family in families}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    """Values of labels → the figure, of what is counted or gauged."""
    return {tuple(s.labels.values()): s.value for s in family.samples if "_created" not in s.name}


def samples(families: Iterable[Metric]) -> set[str]:
    return {sample.name for family in families for sample in family.samples}


ERRORS = ErrorWindow()
ERRORS.add(MarkError(error=Decimal(-2), naive=Decimal(3), equity=Decimal(10_000)))
MARKS = MarksStatus(
    feed="sip",
    session="regular",
    accounts=4,
    unpriced=1,
    held=2,
    prices=FeedStatus(streamed=3),
    error=ERRORS.summary,
    errors={} if ERRORS.summary is None else {("sip", "stream"): ERRORS.summary},
    marks=90,
    checks=8,
    drift=0,
    unreadable=0,
    failures=0,
    totals=MarkTotals(),
    get_positions=lambda _: [],
)
HISTORY = HistoryStatus(
    failure="disk_full",
    rows=70,
    lost={"event": 5},
    gaps={"stopped": 1},
    waiting=12,
    is_dropping=True,
    bytes=4096,
    database=CopyStatus(is_failing=True, lag_s=90.0),
)


class Member:
    """A daemon that follows one owner and is followed by two fronts."""

    is_complete = True
    missing = ""
    forwarder = None

    def get_document(self) -> ClusterDocument:
        row = OwnerRow(
            member="beta", address="http://127.0.0.1:1", url=None, connected=True, since="",
            accounts=3, error=None, skew_s=0.0,
        )  # fmt: skip
        engine = EngineDocument(
            member="alpha", reachable=True, nodes=3, nodes_up=2, lease_s=3.5, accounts=333,
            unowned=1, moving=0, draining=False, alone=False, cut_off=False,
            members=[
                MemberRow(
                    member="alpha", address="", version="1", accounts=333, draining=False,
                    same_accounts=True,
                ),
            ],
        )  # fmt: skip
        return ClusterDocument(fleet="main", member="alpha", fronts=2, owners=[row], engine=engine)

    def get_engine_figures(self) -> EngineFigures:
        latency = Histogram((0.001, 0.01))
        latency.observe(0.002)
        return EngineFigures(
            latency=latency, failures=7, leases_lost=1, taken_over=4, handed_over=5,
            intents_recorded=1000, intents_refused=3,
        )  # fmt: skip

    def get_figures(self) -> FeedFigures:
        return FeedFigures(
            fronts=2, sent_frames=70, sent_bytes=900, joined=3, resumed=4, cut=1, rejected=5,
            dropped={"stale_epoch": 6},
        )  # fmt: skip


async def test_what_owners_and_fronts_send_is_counted(store: Store, clock: Clock) -> None:
    families = await everything(store, clock)
    assert values(families["realtime_feed_fronts"]) == {(): 2}
    assert values(families["realtime_feed_cut"]) == {(): 1}
    assert values(families["realtime_mesh_rejected"]) == {(): 5}
    assert values(families["realtime_owner_up"]) == {("beta",): 1}
    assert values(families["realtime_owner_dropped_frames"]) == {("stale_epoch",): 6}


async def test_what_decides_ownership_is_counted(store: Store, clock: Clock) -> None:
    families = await everything(store, clock)
    assert values(families["realtime_engine_up"]) == {(): 1}
    assert values(families["realtime_engine_nodes_up"]) == {(): 2}
    assert values(families["realtime_engine_lease_seconds"]) == {(): 3.5}
    assert values(families["realtime_owned_accounts"]) == {(): 333}
    assert values(families["realtime_unowned_accounts"]) == {(): 1}
    assert values(families["realtime_intents"]) == {("recorded",): 1000, ("refused",): 3}
    assert values(families["realtime_accounts_taken_over"]) == {(): 4}


async def everything(store: Store, clock: Clock) -> dict[str, Metric]:
    history = HistoryClient(Path("unused"), status=lambda: HISTORY)
    async with guarded(
        store,
        clock,
        runtime_metrics=RUNTIME,
        account_metrics=True,
        history=history,
        marks=lambda: MARKS,
        alerts=AlertLog(),
        cluster=Member(),
    ) as server:
        answer = (await server.exchange(get("/metrics", token(permissions=ADMIN, **ALL))))[0]
    hub = TradeHub(store, clock=clock, get_keys_version=lambda: 0)
    stream = {family.name: family for family in trading_stream_families(hub)}
    return {**read(answer.body.decode()), **stream}


async def test_both_formats_hold_the_same(reader: Reader) -> None:
    plain = await reader.get("/metrics")
    open_one = await reader.get("/metrics", Accept=OPENMETRICS)
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert open_one.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0")
    found = read(plain.body.decode())
    parse = openmetrics_parser.text_string_to_metric_families
    same = list(parse(open_one.body.decode()))  # type: ignore[no-untyped-call]  # theirs
    assert samples(found.values()) == samples(same)


async def test_reads_of_market_data_in_figures(store: Store, clock: Clock) -> None:
    families = await everything(store, clock)
    assert values(families["realtime_market_reads"]) == {
        ("stream",): 8, ("cache",): 70, ("stale",): 2, ("shared",): 9,
    }  # fmt: skip
    assert values(families["realtime_market_requests"]) == {
        ("answered",): 25, ("failed",): 4, ("rate_limited",): 1, ("not_sent",): 6,
    }  # fmt: skip
    assert values(families["realtime_market_budget_remaining"]) == {(): 170}
    assert values(families["realtime_market_cache_available"]) == {(): 1}
    assert values(families["realtime_market_cache_bytes"]) == {(): 4096}


async def test_streams_of_market_data_in_figures(store: Store, clock: Clock) -> None:
    families = await everything(store, clock)
    expected = {
        "clients": 3, "unconfirmed": 1, "waiting_bytes": 512, "sent": 120, "conflated": 6,
        "slow_clients": 1, "reconnects": 2, "ack_differences": 4, "missed": 5,
    }  # fmt: skip
    for name, value in expected.items():
        assert values(families[f"realtime_market_stream_{name}"]) == {("/v2/iex",): value}
    assert values(families["realtime_market_stream_state"]) == {("/v2/iex", "connected"): 1}
    assert values(families["realtime_market_stream_names"]) == {("trades", "/v2/iex"): 2}
    assert values(families["realtime_market_stream_elements"]) == {("/v2/iex", "t"): 40}


async def test_without_market_data_there_is_no_metric_of_it(reader: Reader) -> None:
    assert b"realtime_market" not in (await reader.get("/metrics")).body


async def test_the_fleet_in_figures(store: Store, clock: Clock) -> None:
    store.count("events.fill")
    store.count("link_lost.1006")
    store.count("differences.order_missing")
    store.lag.observe(0.02)
    families = await everything(store, clock)
    accounts = values(families["realtime_accounts"])
    assert (accounts["synced",], accounts["refused",], accounts["deaf",]) == (2, 1, 0)
    assert values(families["realtime_events"])["fill",] == 1
    assert values(families["realtime_reconnects"])["1006",] == 1
    assert values(families["realtime_differences"])["order_missing",] == 1
    assert values(families["realtime_rest_budget_remaining"]) == {(): 20}
    assert values(families["realtime_rest_requests"])["read",] == 7
    assert values(families["realtime_orders"]) == {
        ("placed",): 4, ("refused",): 0, ("unknown",): 1,
    }  # fmt: skip
    assert values(families["realtime_orders_halted"]) == {(): 1}
    assert values(families["realtime_config_last_reload_successful"]) == {(): 0}
    assert values(families["realtime_log_lines_lost"]) == {(): 9}
    assert values(families["realtime_webhook_waiting"]) == {("desk",): 3}
    assert values(families["realtime_webhook_parked"]) == {("desk",): 1}
    assert values(families["realtime_webhook_lost"]) == {("desk",): 7}
    assert values(families["realtime_notify_sent"]) == {("slack",): 8}
    assert values(families["realtime_build_info"]) == {("1.2.3",): 1}
    assert values(families["realtime_history_recording"]) == {(): 0}
    assert values(families["realtime_history_rows_lost"]) == {("event",): 5, ("execution",): 0}
    assert values(families["realtime_history_database_up"]) == {(): 0}
    assert values(families["realtime_history_database_lag_seconds"]) == {(): 90}
    assert values(families["realtime_history_gaps"])["stopped",] == 1
    assert values(families["realtime_marks_unpriced"]) == {(): 1}
    assert values(families["realtime_mark_error_bps"])["sip", "stream", "0.95"] == 2


async def test_histograms_are_cumulative_and_agree_with_their_counts(
    store: Store, clock: Clock
) -> None:
    async with guarded(store, clock) as server:
        head = get("/realtime/accounts", token(**ALL))
        await server.exchange(head, 6)
        requests = server.app[REQUEST_STATS]
        for figure in (0.00002, 0.003, 7.0):
            requests.cached.observe(figure)
        answer = (await server.exchange(get("/metrics", token(permissions=ADMIN))))[0]
    family = read(answer.body.decode())["realtime_http_request_duration_seconds"]
    for source, expected in (("cache", 8), ("handler", 1)):
        mine = [s for s in family.samples if s.labels["source"] == source]
        buckets = [s.value for s in mine if s.name.endswith("_bucket")]
        assert buckets == sorted(buckets)
        assert buckets[-1] == expected
        assert next(s.value for s in mine if s.name.endswith("_count")) == expected
    bounds = [float(s.labels["le"]) for s in family.samples if s.name.endswith("_bucket")]
    assert sum(bound < 0.001 for bound in bounds) >= 10, "most answers take less"


async def test_lines_for_each_account_are_those_that_the_token_may_know_of(
    store: Store, clock: Clock
) -> None:
    async with guarded(store, clock, runtime_metrics=RUNTIME, account_metrics=True) as server:

        async def labels(**claims: object) -> set[str]:
            answer = (await server.exchange(get("/metrics", token(permissions=ADMIN, **claims))))[0]
            family = read(answer.body.decode())["realtime_account_synced"]
            return {label for (label,) in values(family)}

        assert await labels(**ALL) == set(store.records)
        assert await labels(account_id="alpha") == {"alpha"}
        assert await labels(account_id=[]) == set()
    async with guarded(store, clock, account_metrics=True, open_ops=True) as server:
        answer = (await server.exchange(get("/metrics")))[0]
        assert b"alpha" not in answer.body
        assert b'realtime_accounts{state="synced"} 2.0' in answer.body


async def test_without_being_asked_for_no_account_is_named(reader: Reader) -> None:
    body = (await reader.get("/metrics")).body
    assert b"realtime_history" not in body, "it is off here"
    assert b"realtime_mark" not in body, "there is no market data here"
    assert not any(label.encode() in body for label in ("alpha", "bravo", "charlie", "delta"))


@pytest.mark.parametrize(
    ("claims", "code"),
    [({}, "permission_missing"), ({"permissions": ["trading"]}, "permission_missing")],
)
async def test_they_want_admin(
    store: Store, clock: Clock, claims: dict[str, object], code: str
) -> None:
    async with guarded(store, clock) as server:
        answer: Raw = (await server.exchange(get("/metrics", token(**claims, **ALL))))[0]
        assert (answer.status, answer.code) == (403, code)
        assert (await server.exchange(get("/metrics")))[0].code == "token_missing"


async def test_a_bad_count_of_an_account_is_not_shown_as_read(store: Store, clock: Clock) -> None:
    store.update(AccountLabel("alpha"), now=NOW, link=LIVE)
    family = (await everything(store, clock))["realtime_account_positions"]
    assert ("charlie",) not in values(family), "it was never read: unknown is not nought"


async def test_every_metric_is_in_the_papers_and_no_other(store: Store, clock: Clock) -> None:
    families = await everything(store, clock)
    shown = {name for name in families if name.startswith("realtime_")}
    table = (DOCS / "operations.md").read_text().partition("## Metrics")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `(realtime_[a-z_]+?)(?:_total)?[`{]", table, re.MULTILINE))
    assert shown == listed


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
async def test_alerts_and_dashboard_speak_of_metrics_that_exist(
    store: Store, clock: Clock, name: str
) -> None:
    known = samples((await everything(store, clock)).values())
    text = (DOCS / name).read_text()
    if name.endswith("json"):
        board = json.loads(text)
        asked = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
        asked += ["realtime_build_info" for v in board["templating"]["list"] if v["name"] == "job"]
    else:
        asked = re.findall(r"^ *expr: (.*)$", text, re.MULTILINE)
    assert len(asked) > 15
    spoken = {word for expression in asked for word in SPOKEN.findall(expression)}
    assert spoken - known == set()


def test_the_rules_are_rules_and_each_has_its_page() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra dev")
    page = (DOCS / "operations.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", page, re.MULTILINE)}
    (group,) = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(names) == len(set(names))
    for rule in group["rules"]:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["annotations"]["summary"]
        page_of = rule["annotations"]["runbook"]
        assert page_of == f"operations.md#{rule['alert'].lower()}"
        assert rule["alert"].lower() in headings, f"no page for {rule['alert']}"
    assert {h for h in headings if h.startswith("realtime")} == {n.lower() for n in names}
