"""Many notices as a few lines: a burst costs one line with a count, and bounded memory."""

from collections import Counter

from msgspec import Struct

from realtime.notify.notices import SEVERITIES, Notice, NoticeType, Severity

MAX_LINES = 3
"""Notices of a type that have a line of their own; with one more, all become one line."""

MAX_NAMED = 5
"""Accounts that such a line names."""

WORDS: dict[NoticeType, tuple[str, str]] = {
    "fill": ("fill", "fills"),
    "rejected": ("order rejected", "orders rejected"),
    "risk": ("order refused by a check", "orders refused by a check"),
    "out_of_sync": ("change of synchronization", "changes of synchronization"),
    "halt": ("change of the kill switch", "changes of the kill switch"),
    "closing": ("step of a closing", "steps of closings"),
    "alert": ("alert", "alerts"),
    "broker": ("problem with the broker", "problems with the broker"),
    "digest": ("digest", "digests"),
}
"""Type → its words for one and for many."""


class TypeFold(Struct):
    """Notices of one type."""

    texts: list[str] = []
    count: int = 0
    severity: Severity = "info"
    accounts: Counter[str] = Counter()
    """Bounded by the number of accounts."""


class Fold:
    """Notices that were collected for one message."""

    def __init__(self) -> None:
        self._types: dict[NoticeType, TypeFold] = {}
        self.lost = 0
        """Notices of earlier messages that were given up."""

    def __len__(self) -> int:
        return sum(fold.count for fold in self._types.values())

    def add(self, notice: Notice) -> None:
        """Add a notice."""
        fold = self._types.setdefault(notice.type, TypeFold(accounts=Counter()))
        fold.count += 1
        if len(fold.texts) <= MAX_LINES:
            fold.texts.append(notice.text)
        if SEVERITIES.index(notice.severity) > SEVERITIES.index(fold.severity):
            fold.severity = notice.severity
        if notice.account is not None:
            fold.accounts[notice.account] += 1

    def merge(self, later: "Fold") -> None:
        """Add what was collected later."""
        self.lost += later.lost
        for kind, fold in later._types.items():
            mine = self._types.setdefault(kind, TypeFold(accounts=Counter()))
            mine.count += fold.count
            mine.texts = (mine.texts + fold.texts)[: MAX_LINES + 1]
            mine.severity = max(mine.severity, fold.severity, key=SEVERITIES.index)
            mine.accounts += fold.accounts

    def split_urgent(self) -> "Fold":
        """Remove and return what may not wait: types with an error among them, and the digest."""
        urgent = Fold()
        for kind, fold in list(self._types.items()):
            if fold.severity == "error" or kind == "digest":
                urgent._types[kind] = self._types.pop(kind)
        return urgent

    @property
    def title(self) -> str:
        """What it contains, in a few words."""
        parts = [
            WORDS[kind][0] if fold.count == 1 else f"{fold.count} {WORDS[kind][1]}"
            for kind, fold in self._types.items()
        ]
        return f"realtime: {', '.join(parts) or 'notifications were lost'}"

    def lines(self, took_s: float) -> list[str]:
        """The message. `took_s`: how long it was collected."""
        lines: list[str] = []
        if self.lost:
            lines.append(f"{self.lost} earlier notifications could not be delivered")
        for kind, fold in self._types.items():
            if fold.count <= MAX_LINES:
                lines += fold.texts
            else:
                lines.append(_fold_line(kind, fold, took_s))
        return lines


def _fold_line(kind: NoticeType, fold: TypeFold, took_s: float) -> str:
    named = [f"{label} {count}" for label, count in fold.accounts.most_common(MAX_NAMED)]
    others = len(fold.accounts) - len(named)
    if others:
        named.append(f"{others} other accounts")
    accounts = f": {', '.join(named)}" if named else ""
    return (
        f"{fold.count} {WORDS[kind][1]} in {max(1, round(took_s))} s{accounts}; "
        f"the first: {fold.texts[0]}"
    )
