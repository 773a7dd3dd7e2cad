import csv
import io

import msgspec
from msgspec import structs

from realtime.analytics.recorder import Recorder
from realtime.api.documents.history import COLUMNS, HistoryDocument, HistoryQuery
from realtime.api.history.curves import curve_response
from realtime.core.model import AccountLabel
from realtime.store.records import Profile
from tests.api.documents.made import LIVE, LOST, NOW, fleet, state_of
from tests.api.reader import Clock, Reader, reading

ALPHA, BRAVO = AccountLabel("alpha"), AccountLabel("bravo")


async def test_history_has_the_brokers_format(reader: Reader) -> None:
    reply = await reader.get("/realtime/history/alpha?points=2")
    assert list(reply.json) == [
        "timestamp", "equity", "profit_loss", "profit_loss_pct", "base_value", "timeframe",
    ]  # fmt: skip
    (await reader.get("/realtime/history/alpha?points=1")).problem(400, "bad_parameter")
    (await reader.get("/realtime/history/alhpa")).problem(404, "unknown_account")
    assert (await reader.get("/realtime/history/_all")).status == 200


async def test_stale_account_has_no_points_until_it_is_synced_again() -> None:
    """A stale figure is never drawn as if it were observed."""
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    for link in (LIVE, LOST, LOST, structs.replace(LIVE, since=NOW)):
        store.update(BRAVO, now=clock(), link=link)
        await recorder.record()
        clock.now += 15
    answer = curve_response(recorder.get_account(BRAVO), HistoryQuery(), "history")
    document = msgspec.json.decode(answer.body, type=HistoryDocument)
    assert [at - document.timestamp[0] for at in document.timestamp] == [0, 45]
    assert document.base_value == document.equity[0] == 100281.4
    assert len(recorder.get_fleet()) == 4


async def test_curve_as_csv(reader: Reader) -> None:
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    await recorder.record()
    answer = curve_response(
        recorder.get_account(ALPHA), HistoryQuery(format="csv"), "history-alpha"
    )
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    begin = int(NOW) - int(NOW) % 15
    assert rows == [
        dict(zip(COLUMNS, [str(begin), "100281.4", "0.0", "0.0"], strict=True)),
    ]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="history-alpha.csv"'
    reply = await reader.get("/realtime/history/_all?format=csv")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.body.decode() == ",".join(COLUMNS) + "\r\n"


async def test_paper_and_real_money_have_curves_of_their_own() -> None:
    store, clock = fleet(), Clock()
    real = Profile(label=AccountLabel("real"), paper=False)
    store.add(real, now=NOW)
    store.update(real.label, now=NOW, link=LIVE, state=state_of())
    async with reading(store, clock) as reader:
        for query in ("true", "false"):
            reply = await reader.get(f"/realtime/history/_all?paper={query}")
            assert reply.status == 200
        (await reader.get("/realtime/history/_all?paper=maybe")).problem(400, "bad_parameter")
    recorder = Recorder(store, clock)
    await recorder.record()
    paper = [r.profile.label for r in store if r.profile.paper]
    assert recorder.get_sum([real.label])[0][1] == 100_281_400_000
    assert recorder.get_sum(paper)[0][1] == 109_281_400_000  # alpha and delta: bravo is stale
