"""What people are notified of, in the words of the log: from changes of the store and log events.

A notice is one sentence about one thing. Which of them a target gets, and how many become one line,
is decided in `target` and `folding`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal

from msgspec import Struct

from realtime.core.model import TradeUpdate
from realtime.core.state import Execution
from realtime.store.records import Change, Record, Records
from realtime.telemetry.log_sentences import format_sentence
from realtime.telemetry.redaction import to_plain

NoticeType = Literal[
    "fill", "rejected", "risk", "out_of_sync", "halt", "closing", "alert", "broker", "digest"
]
Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")

FILLS = frozenset({"fill", "partial_fill"})
REJECTIONS = frozenset({"rejected", "order_cancel_rejected", "order_replace_rejected"})

MAX_TEXT = 300

LOG_NOTICES: Mapping[str, tuple[NoticeType, Severity]] = {
    "account.failed": ("broker", "error"),
    "alert.ended": ("alert", "info"),
    "alert.started": ("alert", "warning"),
    "frame.unreadable": ("broker", "error"),
    "journal.line_damaged": ("halt", "error"),
    "journal.unreadable": ("halt", "error"),
    "journal.write_failed": ("halt", "error"),
    "link.deaf": ("broker", "warning"),
    "link.refused": ("broker", "error"),
    "liquidation.failed": ("closing", "error"),
    "liquidation.finished": ("closing", "warning"),
    "liquidation.released": ("closing", "warning"),
    "liquidation.resumed": ("closing", "warning"),
    "liquidation.started": ("closing", "warning"),
    "order.found": ("broker", "warning"),
    "order.refused": ("rejected", "warning"),
    "order.unknown": ("broker", "error"),
    "stream.lossy": ("broker", "warning"),
    "trading.halted": ("halt", "error"),
    "trading.resumed": ("halt", "warning"),
}
"""Log event → type and severity. An order that a check of ours refused is of type `risk`."""


class Notice(Struct, frozen=True, kw_only=True):
    """One sentence. `account` None: it concerns all."""

    type: NoticeType
    severity: Severity
    text: str
    account: str | None = None
    tier: str | None = None
    amount: Decimal | None = None
    """Dollars of an execution; None: not an execution, or unknown."""


def make_change_notices(change: Change) -> Iterator[Notice]:
    """Notices of a change of the store."""
    record = change.after
    if record is None or change.before is None:
        return
    for update in change.updates:
        notice = _make_order_notice(record, update)
        if notice is not None:
            yield notice
    if change.recovered and change.before.has_data:
        for execution in change.recovered:
            yield _make_execution_notice(record, execution)


def make_log_notice(event: str, facts: Mapping[str, object], records: Records) -> Notice | None:
    """The notice of a log event, in the sentence that the log has for it; None: it has none."""
    known = LOG_NOTICES.get(event)
    if known is None:
        return None
    kind, severity = known
    if event == "order.refused" and facts.get("guard"):
        kind = "risk"
    account = facts.get("account")
    record = None if account is None else records.get(str(account))
    plain = {
        name: to_plain(value)
        for name, value in facts.items()
        if name not in ("account", "exc_info", "event")
    }
    text = format_sentence(event, None if account is None else str(account), plain)
    return Notice(
        type=kind,
        severity=severity,
        text=text[:MAX_TEXT],
        account=None if account is None else str(account),
        tier=None if record is None else record.profile.tier,
    )


def make_sync_notice(record: Record, down_s: float, *, is_back: bool) -> Notice:
    """An account is out of sync for so long, or is synced again after that."""
    facts: dict[str, object] = {"down_s": round(down_s), "reason": record.link.stale_reason}
    if is_back:
        text = format_sentence("link.recovered", record.profile.label, {"took_s": round(down_s)})
    else:
        text = format_sentence("link.down", record.profile.label, facts)
    return Notice(
        type="out_of_sync",
        severity="info" if is_back else "warning",
        text=text[:MAX_TEXT],
        account=record.profile.label,
        tier=record.profile.tier,
    )


def _make_order_notice(record: Record, update: TradeUpdate) -> Notice | None:
    order = update.order
    facts: dict[str, object] = {"symbol": order.symbol or "legs", "side": order.side}
    if update.event in FILLS:
        facts |= {"qty": update.qty, "price": update.price, "status": order.status}
        text = format_sentence("fill.applied", record.profile.label, facts)
        return _notice(record, "fill", "info", text, amount=_multiply(update.qty, update.price))
    if update.event not in REJECTIONS and order.status != "rejected":
        return None
    facts |= {"qty": order.qty or order.notional, "event_name": update.event.replace("_", " ")}
    if order.status != update.event:
        facts["status"] = order.status
    text = format_sentence("order.updated", record.profile.label, facts)
    return _notice(record, "rejected", "warning", text)


def _make_execution_notice(record: Record, execution: Execution) -> Notice:
    facts = {
        "symbol": execution.symbol,
        "side": execution.side,
        "qty": execution.qty,
        "price": execution.price,
        "status": "read after a gap",
    }
    text = format_sentence("fill.applied", record.profile.label, facts)
    amount = _multiply(execution.qty, execution.price)
    return _notice(record, "fill", "info", text, amount=amount)


def _notice(
    record: Record,
    kind: NoticeType,
    severity: Severity,
    text: str,
    *,
    amount: Decimal | None = None,
) -> Notice:
    return Notice(
        type=kind,
        severity=severity,
        text=text[:MAX_TEXT],
        account=record.profile.label,
        tier=record.profile.tier,
        amount=amount,
    )


def _multiply(qty: str | None, price: str | None) -> Decimal | None:
    try:
        return abs(Decimal(qty or "") * Decimal(price or ""))
    except InvalidOperation:
        return None
