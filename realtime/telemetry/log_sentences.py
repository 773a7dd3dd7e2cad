"""Log events as sentences, for a terminal and `realtime tail`.

Each event has templates, the most detailed first; the first one whose keys are all present is used.
An event without a template is shown by its name and keys, so that nothing is hidden.
"""

import string
from collections.abc import Mapping

RETRY = "retry in {wait_s} s (attempt {attempt})"

TEMPLATES: dict[str, tuple[str, ...]] = {
    "account.failed": ("internal error; reconnecting",),
    "account.key_rotated": ("reconnected with the new keys: {state}",),
    "anomaly.detected": ("unexpected event: {kind}, {detail}; reading from REST",),
    "flows.failed": ("deposits and withdrawals could not be read: {reason}",),
    "balances.refresh_failed": ("account and positions could not be read: {reason}",),
    "clock.stepped": ("the system clock was set by {step_s} s",),
    "clock.suspended": ("the machine was suspended for {suspended_s} s",),
    "config.notice": ("{reason}",),
    "config.refused": (
        "configuration not loaded, nothing changed: {reason}; {remedy}",
        "configuration not loaded, nothing changed: {reason}",
    ),
    "config.reloaded": (
        "configuration reloaded, {unchanged} accounts unchanged",
        "configuration reloaded",
    ),
    "config.warning": ("{reason}",),
    "alert.ended": ("{symbol}: {rule} is within its bound {bound} again (worst {worst})",),
    "alert.hidden": ("{symbol}: the alert of {rule} is hidden ({hide}) by {by}",),
    "alert.started": ("{symbol}: {rule} {value}, the tier's bound is {bound} ({state})",),
    "daemon.ready": (
        "ready in {took_s} s: {synced} synced, {waiting} waiting, {refused} refused",
        "ready in {took_s} s: {synced} synced, {waiting} waiting",
        "ready in {took_s} s: {synced} synced, {refused} refused",
        "ready in {took_s} s: {synced} synced",
    ),
    "daemon.started": ("following {accounts} accounts from {config}", "starting"),
    "daemon.stop_slow": ("{count} tasks did not stop in time: {tasks}",),
    "daemon.stopped": ("stopped after {uptime_s} s", "stopped"),
    "daemon.stopping": ("stopping ({signal})",),
    "event.unknown": ("unknown event {event_name}; its order was applied",),
    "feed.failed": ("internal error in the feed; fronts start again",),
    "feed.front_cut": ("front {address} did not read and was cut off",),
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
    "history.recovered": ("history: {fills} fills and {orders} orders read from the broker",),
    "history.recovery_failed": ("history could not be read from the broker: {reason}",),
    "history.stop_incomplete": ("{waiting} changes were not written to history",),
    "history.write_failed": (
        "history cannot be written, tried again: {reason}; {remedy}",
        "history cannot be written, tried again: {reason}",
    ),
    "history.write_recovered": ("history is written again",),
    "library.logged": ("{logger}: {message}",),
    "link.connected": ("connected ({took_s} s)", "connected"),
    "link.deaf": ("deaf: {evidence}; reconnecting",),
    "link.down": ("still down after {down_s} s: {reason}", "still down after {down_s} s"),
    "link.lost": (f"lost: {{reason}}, {RETRY}", "lost: {reason} ({code})", "lost: {reason}"),
    "link.recovered": ("back after {took_s} s", "back"),
    "link.refused": ("refused: {reason}; {remedy}", "refused: {reason}", "refused: {remedy}"),
    "link.retry_scheduled": (f"{{reason}}, {RETRY}", RETRY),
    "journal.line_damaged": ("{reason}: new orders are halted until `realtime halt --resume`",),
    "journal.unreadable": ("the audit log cannot be read: {reason}; no new orders are sent",),
    "journal.write_failed": ("the audit log cannot be written: {reason}; no new orders are sent",),
    "liquidation.failed": ("internal error while closing the account; retrying",),
    "liquidation.finished": ("flat: no position and no open order in two reads",),
    "liquidation.released": ("liquidation ended by {principal}", "liquidation ended"),
    "liquidation.resumed": ("liquidation resumed after a restart",),
    "liquidation.started": ("liquidation: canceling all orders, closing all positions",),
    "market.cache_lost": ("Redis does not respond ({reason}): market data is not cached",),
    "market.cache_recovered": ("Redis responds again: market data is cached",),
    "market.ack_differs": ("{path}: the ack differs in {names} names; sent again",),
    "market.bars_filled": ("{path}: {bars} missed bars of {symbol} filled by REST",),
    "market.connected": ("{path} connected",),
    "market.disconnected": ("{path}: {reason}; next attempt in {wait_s} s",),
    "market.plan_detected": ("plan {plan}: stocks from {feed}, options from {option_feed}",),
    "market.started": ("market data with the key of {account}",),
    "market.symbol_silent": ("{path}: {symbol} is silent while REST moves; subscribed again",),
    "market.trades_missed": ("{path}: {trades} trades of {symbol} were not delivered",),
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
    "order.unknown": ("order {client_order_id}: status unknown; looking it up until it is known",),
    "order.updated": (
        "{event_name} {symbol} {side} {qty} → {status}",
        "{event_name} {symbol} {side} {qty}",
    ),
    "reconcile.difference_found": (
        "differs from the broker: {kind} {key}: {ours} → {theirs}",
        "differs from the broker: {kind} {key}",
    ),
    "reconcile.finished": ("reconciled: {positions} positions", "reconciled"),
    "server.connections_aborted": ("{connections} connections were still open and were aborted",),
    "server.failed": ("internal error in {method} {path}", "internal error in {path}"),
    "server.fast_path_disabled": ("responses are slower: aiohttp lacks {missing}",),
    "server.started": ("open http://{host}:{port}",),
    "server.stopped": ("all client connections are closed",),
    "poll.applied": ("read while not connected: {differences} changes",),
    "snapshot.applied": ("loaded: {positions} positions, {orders} orders", "loaded"),
    "snapshot.rate_limited": ("REST is rate limited, again in {wait_s} s: {reason}",),
    "stream.lossy": ("the stream lost {missing} events: {evidence}", "the stream lost events"),
    "subscriber.disconnected": (
        "an event client did not keep up and was disconnected; {subscribers} remain",
        "an event client did not keep up and was disconnected",
    ),
    "mesh.rejected": ("{address} sent a request without the fleet's secret",),
    "notify.calendar_failed": ("the calendar could not be read: {reason}",),
    "notify.failed": ("internal error in webhooks or notifications",),
    "notify.given_up": ("notify {target}: {lost} notifications were given up: {reason}",),
    "notify.send_failed": ("notify {target}: {reason}; tried again",),
    "webhook.attempt_failed": ("webhook {webhook}: {reason}; tried again",),
    "webhook.failed": (
        "webhook {webhook}: internal error; tried again",
        "webhooks: internal error",
    ),
    "webhook.file_set_aside": ("the outbox of webhooks is damaged; kept as {as_file}",),
    "webhook.message_parked": (
        "webhook {webhook}: message {message_id} parked after {attempts} attempts: {reason}",
    ),
    "webhook.parked": ("webhook {webhook} parked, {waiting} messages wait: {reason}",),
    "webhook.removed": ("webhook {webhook} removed; {discarded} messages were not sent",),
    "webhook.stop_incomplete": ("{waiting} changes were not stored for webhooks",),
    "webhook.store_failed": ("events for webhooks cannot be stored: {reason}; tried again",),
    "webhook.store_recovered": ("events for webhooks are stored again",),
    "trading.halted": (
        "trading halted: {reason} ({principal})",
        "trading halted ({principal})",
        "trading halted",
    ),
    "trading.resumed": ("trading resumed ({principal})", "trading resumed"),
}

_PHRASES = {
    "429": "rate-limited",
    "partially_filled": "partially filled",
    "pending_new": "pending new",
}


def _get_keys(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


_PARSED = {
    event: tuple((template, _get_keys(template)) for template in templates)
    for event, templates in TEMPLATES.items()
}


def format_sentence(event: str, account: str | None, facts: Mapping[str, object]) -> str:
    """Format an event as one line of text without control characters."""
    texts = {name: _format_value(value) for name, value in facts.items() if value not in (None, "")}
    for template, keys in _PARSED.get(event, ()):
        if keys <= texts.keys():
            text = template.format_map(texts)
            break
    else:
        text = " ".join([event, *(f"{name}={value}" for name, value in texts.items())])
    return f"{account} {text}" if account else text


def _format_value(value: object) -> str:
    text = str(value)
    return strip_control_characters(_PHRASES.get(text, text))


def strip_control_characters(text: str) -> str:
    """Return the text with blanks for whatever could move a terminal's cursor or change colours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
