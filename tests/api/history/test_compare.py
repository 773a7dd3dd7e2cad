"""Comparisons over HTTP: the ledger read by the real history process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from realtime.analytics.compare.documents import BenchmarkPrices, CompareDocument
from realtime.analytics.figure_types import Figures
from realtime.api.history.client import HistoryClient
from realtime.history.status import HistoryStatus
from tests.analytics.ledgers import LedgerScene, after, days, walk
from tests.api.documents.made import fleet
from tests.api.reader import Clock, Reader, reading

DAYS = days(21)
RETURNS = [0.001, -0.002, 0.003, 0.0, 0.004] * 4


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts of the fleet over a month, with a book."""
    path = tmp_path_factory.mktemp("compare") / "history"
    scene = LedgerScene(path)
    scene.closes("alpha", walk(100_000, RETURNS))
    scene.closes("bravo", walk(50_000, RETURNS[::-1]))
    scene.fill("alpha", DAYS[3], "buy", "10", "100", client_order_id="mom-1")
    scene.fill("alpha", DAYS[3], "sell", "10", "101", client_order_id="mom-2", second=1)
    scene.close()
    return path


@asynccontextmanager
async def comparing(path: Path) -> AsyncIterator[Reader]:
    clock = Clock()
    clock.now = after(DAYS[-1]) / 1e6

    async def read_benchmark(symbol: str, with_dividends: bool) -> BenchmarkPrices:
        closes = {day.isoformat(): 500.0 + at for at, day in enumerate(DAYS)}
        return BenchmarkPrices(symbol=symbol, feed="iex", adjustment="split", closes=closes)

    async with (
        HistoryClient(path, status=HistoryStatus) as client,
        reading(
            fleet(),
            clock,
            history=client,
            books={"momentum": "mom-"},
            read_benchmark=read_benchmark,
        ) as reader,
    ):
        yield reader


async def test_a_comparison_has_figures_pairs_and_control_rows(recorded: Path) -> None:
    async with comparing(recorded) as reader:
        reply = await reader.get(f"/compare?from={DAYS[1].isoformat()}&account_id=alpha,bravo")
        document = msgspec.json.decode(reply.body, type=CompareDocument)
        assert [row.key for row in document.rows if row.kind == "control"] == ["cash", "SPY"]
        assert document.ranked_rows == 2
        assert document.pairs_compared == 5
        assert document.benchmark is not None
        assert (document.benchmark.feed, document.benchmark.return_kind) == ("iex", "price")


@pytest.mark.slow
@pytest.mark.parametrize("by", ["account", "label", "tier", "strategy", "fleet"])
async def test_every_grouping_answers(recorded: Path, by: str) -> None:
    async with comparing(recorded) as reader:
        rows = (await reader.get(f"/compare?by={by}&benchmark=none")).json["rows"]
        assert [row["key"] for row in rows if row["kind"] == "control"] == ["cash"]
        keys = {row["key"] for row in rows}
        expected = {"strategy": "momentum", "fleet": "all", "tier": "premium"}.get(by, "alpha")
        assert expected in keys


async def test_csv_curves_and_returns(recorded: Path) -> None:
    async with comparing(recorded) as reader:
        sheet = (await reader.get("/compare.csv")).body.decode().splitlines()
        assert sheet[0].startswith("key,kind,name,tier,paper,ranked,reason")
        assert "return_pct_low" in sheet[0]
        series = (await reader.get("/compare/series?rows=alpha")).json
        assert [row["key"] for row in series["rows"]] == ["alpha"]
        assert len(series["rows"][0]["return_pct"]) == len(series["days"])
        returns = (await reader.get("/compare/returns.csv?rows=alpha,SPY")).body.decode()
        assert returns.splitlines()[0] == "date,alpha,SPY"


async def test_books_and_report_answer(recorded: Path) -> None:
    async with comparing(recorded) as reader:
        books = (await reader.get("/books/alpha")).json
        assert books["books"][0]["realized_pl"]["amount"] == "10"
        report = (await reader.get("/report")).json
        assert {row["account_id"] for row in report["accounts"]} >= {"alpha", "bravo"}
        assert (await reader.get("/report?format=csv")).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "by=nothing",
        "from=yesterday",
        "benchmark=a/b",
        "account_id=nobody",
        "from=2026-11-20&to=2026-11-01",
    ],
)
async def test_wrong_parameters_are_errors_that_say_so(recorded: Path, query: str) -> None:
    async with comparing(recorded) as reader:
        reply = await reader.get(f"/compare?{query}")
        assert reply.status in (400, 404), reply.body


async def test_days_of_no_use_are_errors_and_change_no_other_answer(recorded: Path) -> None:
    """What is kept of the ledger reaches back to the earliest day that a query was for."""
    wide = [f"{name}={day}" for name in ("from", "to") for day in ("0001-01-01", "9999-12-31")]
    both = ["from=0001-01-01&to=0001-01-02", "from=1971-01-01", "to=1969-12-31T23:59:59Z"]
    async with comparing(recorded) as reader:
        for path in ("/compare", "/compare/series", "/compare/returns.csv", "/report"):
            for query in (*wide, *both):
                reply = await reader.get(f"{path}?{query}")
                assert (query, reply.status, reply.json["code"]) == (query, 400, "bad_parameter")
        assert (await reader.get("/report?to=1970-01-01")).status == 200
        assert (await reader.get("/compare?from=2020-01-01")).status == 200
        assert (await reader.get("/compare?to=1970-01-01")).status == 200
        assert (await reader.get("/compare")).status == 200


def test_no_ratio_comes_without_its_days_and_interval() -> None:
    """Every figure whose name says that it is a ratio or a percentage is an estimate with `n`,
    `from`, `to`, `low` and `high`."""
    schema: Any = msgspec.json.schema(CompareDocument)
    definitions = schema["$defs"]
    members = {"value", "low", "high", "n", "from", "to", "reason"}
    assert set(definitions["Estimate"]["properties"]) == members
    money = {"Money", "Contracts", "Drawdown"}
    for name, field in definitions["Figures"]["properties"].items():
        kind = field.get("$ref", "").rpartition("/")[2]
        is_ratio = any(w in name for w in ("pct", "sharpe", "factor", "volatility", "daily"))
        if is_ratio and name != "sharpe_days_needed":
            assert kind == "Estimate", name
        elif kind:
            assert kind in money | {"Estimate"}, name
    assert {"n", "from", "to"} <= set(definitions["Drawdown"]["properties"])
    assert definitions["Pair"]["properties"]["difference_pct"]["$ref"].endswith("Estimate")
    assert len(Figures.__struct_fields__) > 30
