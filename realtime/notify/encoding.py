"""Encodes changes in the outbox's thread.

The thread gives the interpreter back after every change: the event loop waits for one change, not
for a batch.
"""

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from realtime.api.events.event_types import Kind, get_events
from realtime.core.model import AccountLabel
from realtime.notify.messages import Message, make_message, make_stop_message
from realtime.store.records import Change, Record


class EncodedChange(Struct, frozen=True):
    """One change: its record, and its events of the kinds that any webhook selects."""

    record: Record
    at: float
    messages: list[tuple[Kind, Message | None]]
    """None: no webhook that selects the kind has room."""
    stop: Message | None
    """The gap of a restart, with the first read of an account."""


def encode_changes(
    changes: Sequence[Change],
    kinds: frozenset[Kind],
    to_encode: frozenset[Kind],
    *,
    first_reads: Mapping[AccountLabel, float],
) -> list[EncodedChange]:
    """Encode events of the kinds `to_encode`; of the other `kinds` only their number matters.

    `first_reads`: account → since when its events are missing, until it is read.
    """
    encoded: list[EncodedChange] = []
    for change in changes:
        record = change.after or change.before
        if record is None:
            continue
        since = first_reads.get(change.label)
        is_first = change.before is not None and not change.before.has_data and record.has_data
        stop = make_stop_message(record, since) if is_first and since is not None else None
        # What a first read found is no news: the gap of the restart lists what is.
        messages: list[tuple[Kind, Message | None]] = [
            (kind, make_message(change.label, kind, source, record) if kind in to_encode else None)
            for kind, source in get_events(change)
            if kind in kinds and not (is_first and kind == "gap")
        ]
        encoded.append(EncodedChange(record, record.as_of, messages, stop))
        time.sleep(0)
    return encoded
