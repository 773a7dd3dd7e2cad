"""Figures and text from outside, formatted for a terminal.

Digits are grouped as on the page (`1,412`), the sign of a negative amount is `−`, unknown is `–`.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

UNKNOWN = "–"
MINUS = "−"

MAX_LABEL = 24
"""Characters of a label in a table; a longer one is cut in the middle, figures never are."""

_CENT = Decimal("0.01")


def clean(text: str) -> str:
    """Replace what could move a terminal's cursor or change its colours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def short_label(label: str) -> str:
    """Return a label of at most `MAX_LABEL` characters, cut in the middle."""
    label = clean(label)
    if len(label) <= MAX_LABEL:
        return label
    head = (MAX_LABEL - 1) // 2
    return f"{label[:head]}…{label[-(MAX_LABEL - 1 - head) :]}"


def parse_decimal(text: str | None) -> Decimal | None:
    """Parse the broker's decimal string; None if it is unknown or not a finite number."""
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def format_money(value: str | Decimal | None, *, signed: bool = False) -> str:
    """Format an amount with two decimals: `100,281.40`, `−0.50`, signed `+3.00`, `0.00`."""
    if value is None:
        return UNKNOWN
    number = value if isinstance(value, Decimal) else parse_decimal(value)
    if number is None:
        return clean(str(value))
    try:
        rounded = number.quantize(_CENT, ROUND_HALF_EVEN)
    except InvalidOperation:  # more digits than Decimal's context holds
        return clean(str(value))
    sign = MINUS if rounded < 0 else "+" if signed and rounded else ""
    return f"{sign}{abs(rounded):,.2f}"


def format_percent(part: Decimal | None, whole: Decimal | None) -> str:
    """Format a part of a whole as a signed percentage: `+0.09 %`; `–` where it is unknown."""
    if part is None or not whole:
        return UNKNOWN
    return f"{format_money(part / whole * 100, signed=True)} %"


def format_count(value: int | None) -> str:
    """Format a number in groups of three: `1,412`."""
    if value is None:
        return UNKNOWN
    return f"{MINUS * (value < 0)}{abs(value):,}"


def format_duration(seconds: float) -> str:
    """Format a duration by its two largest units: `41 s`, `12 min 7 s`, `3 d 4 h`."""
    rest = max(0, int(seconds))
    parts: list[tuple[int, str]] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    shown = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(shown) or "0 s"


def format_quantity(count: int, noun: str) -> str:
    """Format a number of things: `1 account`, `2 accounts`."""
    return f"{format_count(count)} {noun}" if count == 1 else f"{format_count(count)} {noun}s"


def format_milliseconds(value: float) -> str:
    """Format a latency: `0.4 ms`, `9.5 ms`, `120 ms`; two digits below 0.1 ms."""
    if value < 0.1:
        return f"{value:.2g} ms"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def name_some(labels: list[str], limit: int = 5) -> str:
    """Name the first labels and count the others: `alpha, bravo and 3 others`."""
    names = [clean(label) for label in labels]
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {format_quantity(len(names) - limit, 'other')}"
