"""Latches of the kill switch: what they stop, and how they survive."""

from pathlib import Path

import pytest

from realtime.orders.errors import Declined
from realtime.orders.journal import DAMAGED, Journal, JournalEntry
from realtime.orders.kill_switch import KillSwitch


def make_switch(path: Path | None = None) -> KillSwitch:
    return KillSwitch(Journal(path, lambda: 1_790_000_000.0), lambda: 1_790_000_000.0)


def is_halted(switch: KillSwitch, label: str) -> bool:
    try:
        switch.check(label)
    except Declined as error:
        return (error.code, error.guard) == ("orders_halted", "halted")
    return False


@pytest.mark.parametrize(
    ("halts", "resumes", "halted"),
    [
        ([None], [], ["alpha", "bravo"]),
        (["alpha"], [], ["alpha"]),
        (["alpha", "bravo"], ["alpha"], ["bravo"]),
        ([None, "alpha"], ["alpha"], ["alpha", "bravo"]),
        ([None, "alpha"], [None], []),
        ([None], ["alpha"], ["alpha", "bravo"]),
        ([], [None], []),
    ],
)
def test_a_latch_stops_its_accounts_until_it_is_released(
    tmp_path: Path, halts: list[str | None], resumes: list[str | None], halted: list[str]
) -> None:
    path = tmp_path / "orders.jsonl"
    switch = make_switch(path)
    for scope in halts:
        switch.halt(scope, reason="storm", principal="ops")
    for scope in resumes:
        switch.resume(scope, principal="ops")
    restarted = make_switch()
    for entry in Journal(path, lambda: 0).read():
        restarted.apply(entry)
    for each in (switch, restarted):
        assert [label for label in ("alpha", "bravo") if is_halted(each, label)] == halted


def test_a_refusal_names_the_reason() -> None:
    switch = make_switch()
    switch.halt("alpha", reason="strange fills", principal="ops")
    with pytest.raises(Declined, match=r"alpha since 2026-.* by ops: strange fills"):
        switch.check("alpha")


def test_a_damaged_entry_halts_every_account() -> None:
    switch = make_switch()
    switch.apply(JournalEntry(event=DAMAGED, message="line 7 of x cannot be read"))
    with pytest.raises(Declined, match=r"every account .* line 7 of x"):
        switch.check("alpha")
    switch.resume("alpha", principal="ops")
    assert is_halted(switch, "alpha")
    switch.resume(None, principal="ops")
    assert not is_halted(switch, "alpha")
