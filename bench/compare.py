"""A comparison of a thousand accounts over a year: processor time and memory of its process."""

import json
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from random import Random

from msgspec import Struct

from realtime.analytics.compare.comparison import Memory, compare, make_document
from realtime.analytics.compare.curves import encode_series
from realtime.analytics.compare.documents import CompareRequest
from realtime.analytics.compare.row_data import AccountProfile
from realtime.api.documents.document_cache import ENCODER
from realtime.core.model import Account, AccountLabel
from realtime.core.state import AccountState
from realtime.core.trading_days import close_at, to_number, trading_days
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import US
from realtime.history.ledger import Ledger
from realtime.history.reading import FileReader
from realtime.store.records import Profile, Record

LAST = date(2026, 11, 27)
DAYS = trading_days(LAST - timedelta(days=365), LAST)[-251:]


class Costs(Struct, frozen=True):
    """Seconds of processor time, and MB at the end."""

    cold_s: float
    same_s: float
    window_s: float
    curves_s: float
    table_mb: float
    curves_mb: float


def measure(accounts: int) -> Costs:
    """One comparison after another, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), accounts)
        command = [sys.executable, "-m", "bench.compare", folder, str(accounts)]
        found = subprocess.run(command, capture_output=True, check=True, text=True)
    return Costs(**json.loads(found.stdout))


def lines(costs: Costs, accounts: int) -> list[str]:
    """The table."""
    return [
        f"| a comparison of {accounts} accounts over {len(DAYS) - 1} days, with its JSON"
        " | processor time |",
        "| --- | ---: |",
        f"| the first, from the ledger | {costs.cold_s * 1000:.0f} ms |",
        f"| again, from memory | {costs.same_s * 1000:.0f} ms |",
        f"| another window, from memory | {costs.window_s * 1000:.0f} ms |",
        f"| all curves | {costs.curves_s * 1000:.0f} ms |",
        "",
        f"Memory of the process: {costs.table_mb:.0f} MB with tables, {costs.curves_mb:.0f} MB"
        " once all curves were sent.",
    ]


def _write(folder: Path, accounts: int) -> None:
    directory = HistoryDirectory(folder)
    directory.prepare()
    ledger, rng = Ledger(directory.ledger), Random(1)
    ledger.begin()
    for number in range(accounts):
        name = f"a{number}"
        account = Account(id=name, account_number=name)
        record = Record(
            profile=Profile(label=AccountLabel(name)), state=AccountState(account=account)
        )
        key, equity = ledger.names.account(record), 100_000.0
        for day in DAYS:
            equity *= 1 + rng.gauss(0, 0.01)
            units = round(equity * 10_000)
            close_us = close_at(day) * US
            ledger.put_close((key, to_number(day), close_us, units, units // 2, units // 3, 390))
    ledger.commit()
    ledger.close()


def _measure(folder: Path, accounts: int) -> Costs:
    reader, memory = FileReader(HistoryDirectory(folder)), Memory()
    profiles = [
        AccountProfile(label=f"a{number}", positions={}, initial_balance="100000", later_flows="0")
        for number in range(accounts)
    ]

    def request(first: int) -> CompareRequest:
        return CompareRequest(
            accounts=profiles,
            since=DAYS[first].isoformat(),
            now_us=(close_at(DAYS[-1]) + 3600) * US,
        )

    def table(first: int) -> float:
        began = time.process_time()
        ENCODER.encode(make_document(compare(reader, request(first), memory), memory))
        return time.process_time() - began

    cold_s = table(1)
    same_s = min(table(1) for _ in range(5))
    window_s = min(table(first) for first in (2, 3))
    table_mb = _peak_mb()
    began = time.process_time()
    encode_series(compare(reader, request(1), memory), ENCODER.encode)
    return Costs(cold_s, same_s, window_s, time.process_time() - began, table_mb, _peak_mb())


def _peak_mb() -> float:
    # Not getrusage: its peak includes that of the process which started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    costs = _measure(Path(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({name: getattr(costs, name) for name in Costs.__struct_fields__}))
