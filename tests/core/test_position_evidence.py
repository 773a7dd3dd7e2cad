"""Evidence of recent executions, held against positions that were read."""

from decimal import Decimal

import pytest
from msgspec import structs

from realtime.core.model import ExecutionId, OrderId, Position, Symbol
from realtime.core.position_evidence import (
    add_recovered,
    find_unsettled,
    held_qty,
    may_agree_by_chance,
    next_evidence,
)
from realtime.core.state import LAG_S, Execution, PositionEvidence

AAA = Symbol("AAA")
NOW = 1_000_000.0
EXECUTION = Execution(
    execution_id=ExecutionId("e1"),
    order_id=OrderId("o1"),
    symbol="AAA",
    side="buy",
    qty="3",
    price="10",
    at="2026-10-06T14:02:11Z",
)


def held(qty: str) -> Position:
    return Position(symbol=AAA, qty=qty)


def evidence(qty: str = "5", side: str = "buy", **fields: object) -> PositionEvidence:
    made = next_evidence(None, key=(1, "", 1, Decimal(0), ""), qty=qty, side=side, now=NOW)
    return structs.replace(made, **fields)


@pytest.mark.parametrize(
    ("newest", "read", "later_s", "unsettled"),
    [
        (evidence("5"), "5", 1.0, False),
        (evidence("5"), "2", 1.0, True),
        (evidence("5"), "2", LAG_S, False),
        (evidence(""), "2", 1.0, False),
        (evidence("5", held_back=EXECUTION), "2", 1.0, False),
    ],
    ids=["agrees", "disagrees", "old", "position unknown", "held back"],
)
def test_a_position_that_disagrees_with_young_evidence_is_unsettled(
    newest: PositionEvidence, read: str, later_s: float, unsettled: bool
) -> None:
    found = find_unsettled({AAA: newest}, {AAA: held(read)}, NOW + later_s)
    assert list(found) == ([AAA] if unsettled else [])


@pytest.mark.parametrize(
    ("newest", "later_s", "by_chance"),
    [
        (evidence("5"), 1.0, False),
        (evidence("5", is_computed=True), 1.0, True),
        (evidence("5", is_computed=True), LAG_S, False),
        (evidence(""), 1.0, True),
        (evidence("5", held_back=EXECUTION), 1.0, True),
        (evidence("5", turned_at=NOW), 1.0, True),
        (evidence("5", turned_at=NOW), LAG_S, False),
    ],
)
def test_agreement_proves_nothing_after_a_turn_or_without_the_brokers_figure(
    newest: PositionEvidence, later_s: float, by_chance: bool
) -> None:
    assert may_agree_by_chance({AAA: newest}, NOW + later_s) is by_chance


def test_a_recovered_execution_is_added_to_the_position_shown() -> None:
    """And a second one to that sum, which REST has not confirmed either."""
    known: dict[Symbol, PositionEvidence] = {}
    add_recovered(known, EXECUTION, NOW, {AAA: held("4")})
    assert (known[AAA].qty, known[AAA].is_computed) == ("7", True)
    sale = structs.replace(
        EXECUTION, execution_id=ExecutionId("e2"), side="sell", at="2026-10-06T14:02:12Z"
    )
    add_recovered(known, sale, NOW + 1, {AAA: held("4")})
    assert known[AAA].qty == "4"


def test_an_older_execution_changes_no_evidence() -> None:
    known = {AAA: evidence("5", key=(2**62, "", 1, Decimal(0), ""))}
    before = dict(known)
    add_recovered(known, EXECUTION, NOW, {AAA: held("4")})
    assert known == before


def test_a_coin_bought_has_no_computed_position() -> None:
    """The fee stays in the coin, and the activity does not state it."""
    known: dict[Symbol, PositionEvidence] = {}
    coin = structs.replace(EXECUTION, symbol="ETH/USD")
    add_recovered(known, coin, NOW, {})
    assert known[Symbol("ETHUSD")].qty == ""


def test_no_position_is_a_quantity_of_zero() -> None:
    assert held_qty(None) == 0
    assert held_qty(held("-2.5")) == Decimal("-2.5")
