"""Figures and foreign text as a person at a terminal reads them."""

from decimal import Decimal, InvalidOperation

UNKNOWN = "–"


def clean(text: str) -> str:
    """Give the text without what could move a terminal's cursor or change its colours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def money(value: str | None) -> str:
    """Spell the broker's decimal string with two decimals: `100 281.40`."""
    if value is None:
        return UNKNOWN
    try:
        return f"{Decimal(value):,.2f}".replace(",", " ")
    except (InvalidOperation, ValueError):
        return clean(value)


def whole(value: int | None) -> str:
    """Spell a number in groups of three: `1 412`."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", " ")


def span(seconds: float) -> str:
    """Spell a time that passed by its two largest units: `41 s`, `12 min 7 s`, `3 d 4 h`."""
    rest = max(0, int(seconds))
    parts: list[tuple[int, str]] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    shown = [f"{count} {unit}" for count, unit in parts[:2] if count]
    return " ".join(shown) or "0 s"


def stopwatch(seconds: float) -> str:
    """Spell a time that passed as `00:12:07`, from a day on as `3 d 4 h`."""
    if seconds >= 86_400:
        return span(seconds)
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def counted(count: int, noun: str) -> str:
    """Spell a number of things: `1 account`, `2 accounts`."""
    return f"{whole(count)} {noun}" if count == 1 else f"{whole(count)} {noun}s"


def milliseconds(value: float) -> str:
    """A time that somebody waits: `0.4 ms`, `9.5 ms`, `120 ms`; less than 0.1 with two digits."""
    return (
        f"{value:.2g} ms" if value < 0.1 else f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
    )
