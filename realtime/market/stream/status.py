"""The state of all streams, as `/market/status` and `/metrics` report it."""

from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from realtime.broker.market_codec import format_ns
from realtime.market.stream.hub import HubState, StreamHub
from realtime.market.stream.market_streams import MarketStreams

MAX_NAMES = 50
"""Names that are listed; the numbers count all."""

MAX_MISSED = 50


class MissedRow(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Something that the stream did not deliver; times are those of the elements."""

    symbol: str
    channel: str
    from_: str
    to: str
    count: int | None
    """Elements, where that is known."""
    repaired: bool
    """Whether REST delivered them."""


class StreamRow(Struct, frozen=True, kw_only=True):
    """One stream of the broker."""

    path: str
    feed: str
    state: HubState
    """`idle`: no client needs it. `occupied`: another program holds the broker's only connection.
    `refused`: the key's plan does not include it."""
    since: str
    error: str | None
    remedy: str | None
    next_attempt_at: str | None
    last_element_at: str | None
    clients: int
    subscribed: dict[str, int]
    """Channel → names that clients have, and that linger."""
    confirmed: int
    """Of those, what the broker's last ack has."""
    unconfirmed_total: int
    unconfirmed: list[str]
    """Names that repeated messages did not establish, or that the broker refused."""
    elements: dict[str, int]
    """Message type → received since the start."""
    sent: int
    """Elements sent, counted once for each client."""
    conflated: int
    """Quotes that a newer one replaced because a client did not keep up."""
    waiting_bytes: int
    """What waits for clients that do not keep up."""
    slow_clients: int
    """Clients refused because they did not read (407)."""
    reconnects: int
    ack_differences: int
    resumed: int
    gaps: int
    """Clients that resumed completely, and those that could not."""
    missed_total: int
    missed: list[MissedRow]
    """The newest."""


class StreamsStatus(Struct, frozen=True, kw_only=True):
    """All streams, and what the data key may use."""

    account: str
    is_default_account: bool
    """Whether no key is configured, so that the first paper account's is used."""
    plan: str | None
    feed: str | None
    option_feed: str | None
    """None: not known yet."""
    clients: int
    max_clients: int
    streams: list[StreamRow]


def get_streams_status(
    streams: MarketStreams, format_time: Callable[[float], str]
) -> StreamsStatus:
    """Return the state of all streams. `format_time` writes epoch seconds for clients."""
    return StreamsStatus(
        account=streams.settings.account,
        is_default_account=streams.settings.is_default_account,
        plan=streams.entitlement.plan,
        feed=streams.entitlement.feed,
        option_feed=streams.entitlement.option_feed,
        clients=len({client.port for client in streams.clients}),
        max_clients=streams.settings.max_clients,
        streams=[_row(hub, format_time) for _, hub in sorted(streams.hubs.items())],
    )


def _row(hub: StreamHub, format_time: Callable[[float], str]) -> StreamRow:
    def format_optional(at: float | None) -> str | None:
        return None if at is None else format_time(at)

    status, plan, counts = hub.status, hub.plan, hub.counts
    subscribed = Counter(channel for channel, _ in hub.union.wanted)
    problems = sorted(plan.unacked | plan.refused.keys())
    clients = list(hub.relay.clients)
    return StreamRow(
        path=hub.stream.path,
        feed=hub.stream.feed,
        state=status.state,
        since=format_time(status.since),
        error=status.error,
        remedy=status.remedy,
        next_attempt_at=format_optional(status.next_attempt_at),
        last_element_at=format_optional(hub.last_element_at),
        clients=len(clients),
        subscribed=dict(sorted(subscribed.items())),
        confirmed=len(plan.acked & hub.union.wanted),
        unconfirmed_total=len(problems),
        unconfirmed=[f"{channel} {name}" for channel, name in problems[:MAX_NAMES]],
        elements=dict(sorted(hub.elements.items())),
        sent=hub.relay.sent,
        conflated=counts["conflated"] + sum(c.queue.conflated for c in clients),
        waiting_bytes=sum(client.queue.bytes for client in clients),
        slow_clients=counts["slow_clients"],
        reconnects=counts["reconnects"],
        ack_differences=counts["differences"],
        resumed=counts["resumed"],
        gaps=counts["gaps"],
        missed_total=hub.missed.total,
        missed=[
            MissedRow(
                symbol=entry.symbol,
                channel=entry.channel,
                from_=format_ns(entry.from_ns),
                to=format_ns(entry.to_ns),
                count=entry.count,
                repaired=entry.is_repaired,
            )
            for entry in list(hub.missed.entries)[-MAX_MISSED:][::-1]
        ],
    )
