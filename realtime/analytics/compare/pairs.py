"""Pairs of rows: which of them differ by more than chance, allowing for the number of pairs."""

from collections.abc import Sequence
from itertools import combinations

from realtime.analytics.compare.documents import CompareRequest, Pair
from realtime.analytics.compare.row_data import RowData, Window
from realtime.analytics.estimates import MIN_DAYS, Span, paired_difference
from realtime.core.trading_days import to_date

MAX_PAIR_ROWS = 40
"""Up to this many rows all pairs are compared: 820 of them."""


def make_pairs(
    request: CompareRequest,
    ranked: Sequence[RowData],
    controls: Sequence[RowData],
    window: Window | None,
) -> tuple[list[Pair], int, str | None]:
    """All pairs of ranked rows and of those with control rows; of many rows only those named."""
    usable = [row for row in controls if row.inputs.series.is_complete]
    rows = [*ranked, *usable]
    if window is None or not ranked:
        return [], 0, "no row is ranked"
    if len(rows) <= MAX_PAIR_ROWS:
        chosen = [(a, b) for a, b in combinations(rows, 2) if a.kind != "control"]
    else:
        named = {row.key for row in rows} & set(request.pairs_of)
        chosen = [
            (a, b)
            for a, b in combinations(rows, 2)
            if a.kind != "control" and (a.key in named or b.key in named)
        ]
    span = Span(
        to_date(window.first).isoformat(), to_date(window.last).isoformat(), len(window.days)
    )
    pairs = [_pair(a, b, len(chosen), span) for a, b in chosen]
    omitted = None
    if len(rows) > MAX_PAIR_ROWS:
        omitted = f"more than {MAX_PAIR_ROWS} rows: name some in pairs_of"
    return pairs, len(chosen), omitted


def _pair(a: RowData, b: RowData, comparisons: int, span: Span) -> Pair:
    both = [
        (x, y)
        for x, y in zip(a.inputs.series.returns, b.inputs.series.returns, strict=True)
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
