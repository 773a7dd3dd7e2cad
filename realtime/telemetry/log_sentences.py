"""Log events as sentences for people: on a terminal and in `realtime tail`.

Each event has templates, the fullest first; the first whose facts are all there is used. An event
without one is shown by its name and facts, so nothing is ever hidden for want of a sentence.
"""

import string
from collections.abc import Mapping

RETRY = "retry in {wait_s} s (attempt {attempt})"

TEMPLATES: dict[str, tuple[str, ...]] = {
    "account.failed": ("failed inside",),
    "account.key_rotated": ("has other keys now: {state}",),
    "config.refused": ("nothing has changed: {reason}; {remedy}", "nothing has changed: {reason}"),
    "config.reloaded": ("the files were read again: {unchanged} accounts unchanged",),
    "config.notice": ("{reason}",),
    "config.warning": ("{reason}",),
    "daemon.ready": (
        "ready in {took_s} s: {live} live, {waiting} waiting, {refused} refused",
        "ready in {took_s} s: {live} live, {waiting} waiting",
        "ready in {took_s} s: {live} live, {refused} refused",
        "ready in {took_s} s: {live} live",
    ),
    "daemon.started": ("following {accounts} accounts from {config}", "starting"),
    "daemon.stop_slow": ("{count} tasks did not stop in time: {tasks}",),
    "daemon.stopped": ("stopped after {uptime_s} s", "stopped"),
    "daemon.stopping": ("stopping ({signal})",),
    "event.unknown": ("unknown event {event_name}; its order was applied",),
    "fill.applied": (
        "fill {symbol} {side} {qty} @ {price} → {status} ({lag_ms} ms)",
        "fill {symbol} {side} {qty} @ {price} → {status}",
    ),
    "frame.unreadable": ("unreadable frame: {reason}; reading everything again",),
    "history.day_sealed": ("history of the day is complete: {file}",),
    "history.file_deleted": ("history file {file} deleted ({reason})",),
    "history.file_set_aside": ("history file {file} is damaged; kept as {as_file}",),
    "history.gap_recorded": (
        "history has a gap of {seconds} s ({reason})",
        "history has a gap of {rows} changes ({reason})",
    ),
    "history.query_failed": ("history could not be read: {reason}",),
    "history.stop_incomplete": ("{waiting} changes were not written to history",),
    "history.write_failed": ("history cannot be written: {reason}; tried again",),
    "history.write_recovered": ("history is written again",),
    "library.logged": ("{logger}: {message}",),
    "link.connected": ("connected ({took_s} s)", "connected"),
    "link.deaf": ("deaf: {evidence}; reconnecting",),
    "link.lost": (f"lost: {{reason}}, {RETRY}", "lost: {reason} ({code})", "lost: {reason}"),
    "link.recovered": ("back after {took_s} s", "back"),
    "link.refused": ("refused: {reason}; {remedy}", "refused: {reason}", "refused: {remedy}"),
    "link.retry_scheduled": (f"{{reason}}, {RETRY}", RETRY),
    "balances.refresh_failed": ("account and positions could not be read: {reason}",),
    "journal.line_damaged": ("{reason}: new orders are halted until somebody resumes",),
    "journal.unreadable": ("the audit log cannot be read: {reason}; no new orders are sent",),
    "journal.write_failed": ("the audit log cannot be written: {reason}; no new orders are sent",),
    "liquidation.failed": ("internal error while closing the account; retrying",),
    "liquidation.finished": ("flat: no position and no open order in two reads",),
    "liquidation.released": ("liquidation ended by {principal}", "liquidation ended"),
    "liquidation.resumed": ("liquidation resumed after a restart",),
    "liquidation.started": ("liquidation: canceling all orders, closing all positions",),
    "order.cancel_accepted": ("cancel of order {order_id} accepted",),
    "order.found": ("order {client_order_id} found at the broker: {status}",),
    "order.placed": (
        "placed {symbol} {side} {qty} {type} → {status} ({took_ms} ms)",
        "placed {symbol} {side} ${notional} {type} → {status} ({took_ms} ms)",
        "placed order {client_order_id} → {status}",
    ),
    "order.refused": (
        "order {client_order_id} refused: {message} ({code})",
        "order {client_order_id} refused: {message}",
        "order {client_order_id} refused ({code})",
    ),
    "order.response_lost": ("no response for order {client_order_id}; looking it up by its id",),
    "order.routed": ("selected for the order: {reason}",),
    "order.unknown": (
        "order {client_order_id}: nobody knows whether the broker has it; it goes on being asked",
    ),
    "order.updated": ("{event_name} {symbol} {side} {qty} → {status}",),
    "reconcile.difference_found": (
        "differs from the broker: {kind} {key}: {ours} → {theirs}",
        "differs from the broker: {kind} {key}",
    ),
    "reconcile.finished": ("in step: {positions} positions", "in step"),
    "server.cut": ("{connections} readers were still connected",),
    "server.failed": ("{method} {path} failed", "{path} failed"),
    "server.shortcut_disabled": ("answering slowly: aiohttp lacks {missing}",),
    "server.started": ("open http://{host}:{port}",),
    "server.stopped": ("no reader is connected any more",),
    "snapshot.applied": ("loaded: {positions} positions, {orders} orders", "loaded"),
    "subscriber.disconnected": ("a reader that did not keep up was cut; {readers} are listening",),
    "stream.lossy": ("the stream lost an event: {evidence}",),
    "trading.halted": (
        "no new orders: {reason} ({principal})",
        "no new orders ({principal})",
        "no new orders",
    ),
    "trading.resumed": ("trading resumed ({principal})", "trading resumed"),
}

_WORDS = {
    "429": "rate-limited",
    "partially_filled": "partially filled",
    "pending_new": "pending new",
}


def _fields(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


_PARSED = {
    event: tuple((template, _fields(template)) for template in templates)
    for event, templates in TEMPLATES.items()
}


def sentence(event: str, account: str | None, facts: Mapping[str, object]) -> str:
    """Say in one line what happened; control characters of foreign text do not reach a terminal."""
    said = {name: _word(value) for name, value in facts.items() if value not in (None, "")}
    for template, fields in _PARSED.get(event, ()):
        if fields <= said.keys():
            text = template.format_map(said)
            break
    else:
        text = " ".join([event, *(f"{name}={value}" for name, value in said.items())])
    return f"{account} {text}" if account else text


def _word(value: object) -> str:
    text = str(value)
    return printable(_WORDS.get(text, text))


def printable(text: str) -> str:
    """Give the text without what could move a terminal's cursor or change its colours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
