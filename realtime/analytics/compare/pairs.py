"""Pairs of rows: which of them differ by more than chance, allowing for the number of pairs."""

from collections.abc import Sequence
from itertools import combinations

from realtime.analytics.compare.documents import CompareRequest, Pair
from realtime.analytics.compare.row_data import Row, Window
from realtime.analytics.estimates import MIN_DAYS, Span, paired_difference
from realtime.core.trading_days import to_date

MAX_PAIR_ROWS = 40
"""Up to this many rows all pairs are compared: 820 of them."""


def make_pairs(
    request: CompareRequest,
    ranked: Sequence[Row],
    controls: Sequence[Row],
    window: Window | None,
) -> tuple[list[Pair], int, str | None]:
    """All pairs of ranked rows and of those with control rows; of many rows only those named."""
    usable = [row for row in controls if row.data.inputs.series.is_complete]
    rows = [*ranked, *usable]
    if window is None or not ranked:
        return [], 0, "no row is ranked"
    if len(rows) <= MAX_PAIR_ROWS:
        chosen = [(a, b) for a, b in combinations(rows, 2) if a.kind != "control"]
    else:
        chosen = _pairs_of(rows, set(request.pairs_of))
    span = Span(
        to_date(window.first).isoformat(), to_date(window.last).isoformat(), len(window.days)
    )
    pairs = [_pair(a, b, len(chosen), span) for a, b in chosen]
    omitted = None
    if len(rows) > MAX_PAIR_ROWS:
        omitted = f"more than {MAX_PAIR_ROWS} rows: name some in pairs_of"
    return pairs, len(chosen), omitted


def _pairs_of(rows: Sequence[Row], names: set[str]) -> list[tuple[Row, Row]]:
    """Each named row with every other: of a thousand rows there are half a million pairs."""
    named = [at for at, row in enumerate(rows) if row.key in names]
    wanted = {
        (min(one, other), max(one, other))
        for one in named
        for other in range(len(rows))
        if one != other
    }
    return [(rows[a], rows[b]) for a, b in sorted(wanted) if rows[a].kind != "control"]


def _pair(a: Row, b: Row, comparisons: int, span: Span) -> Pair:
    both = [
        (x, y)
        for x, y in zip(a.data.inputs.series.returns, b.data.inputs.series.returns, strict=True)
        if x is not None and y is not None
    ]
    found = paired_difference([x for x, _ in both], [y for _, y in both], comparisons)
    if found is None:
        reason = f"too few days: {len(both)} of {MIN_DAYS}"
        return Pair(
            a=a.key,
            b=b.key,
            difference_pct=span.unknown(reason, n=len(both)),
            distinguishable=None,
            ahead=None,
            days_needed=None,
            reason=reason,
        )
    total, half = found.mean * found.n * 100, found.critical * found.error * found.n * 100
    ahead = a.key if found.mean > 0 else b.key
    return Pair(
        a=a.key,
        b=b.key,
        difference_pct=span.estimate(total, total - half, total + half, n=found.n),
        distinguishable=found.is_distinguishable,
        ahead=ahead if found.is_distinguishable else None,
        days_needed=found.days_needed,
    )
