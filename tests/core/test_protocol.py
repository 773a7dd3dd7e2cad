"""The conversation, as a table."""

import pytest

from realtime.core.model import Order, OrderId, TradeUpdate
from realtime.core.protocol import (
    Authorization,
    BrokerFault,
    Ignored,
    Listening,
    Message,
    Stage,
    Step,
    Unreadable,
    advance,
    begin,
)

EVENT = TradeUpdate(event="new", order=Order(id=OrderId("o"), status="new"))
AUTHORIZED = Authorization(status="authorized", action="authenticate")
LISTENING = Listening(streams=("trade_updates",))


def test_begin() -> None:
    """The server says nothing first."""
    assert begin() == Step("authorizing", send="authorize")


@pytest.mark.parametrize(
    ("stage", "message", "step"),
    [
        ("authorizing", AUTHORIZED, Step("subscribing", send="listen")),
        ("subscribing", LISTENING, Step("listening")),
        ("listening", EVENT, Step("listening")),
        # early, late or twice
        ("authorizing", EVENT, Step("authorizing")),
        ("subscribing", EVENT, Step("subscribing")),
        ("subscribing", AUTHORIZED, Step("subscribing")),
        ("listening", AUTHORIZED, Step("listening")),
        ("listening", LISTENING, Step("listening")),
        ("authorizing", LISTENING, Step("authorizing")),
        ("authorizing", Listening(), Step("authorizing")),
        # refused
        (
            "authorizing",
            Authorization(status="unauthorized", message="access key verification failed"),
            Step("closed", refused="access key verification failed"),
        ),
        (
            "listening",
            Authorization(status="unauthorized"),
            Step("closed", refused="unauthorized"),
        ),
        ("authorizing", Authorization(), Step("closed", refused="unauthorized")),
        # not what we asked for
        (
            "subscribing",
            Listening(),
            Step("closed", failed="the broker does not send trade_updates"),
        ),
        (
            "listening",
            Listening(streams=("other",)),
            Step("closed", failed="the broker does not send trade_updates"),
        ),
        ("subscribing", Listening(error="too many"), Step("closed", failed="too many")),
        ("listening", BrokerFault("going down"), Step("closed", failed="going down")),
        ("listening", BrokerFault(), Step("closed", failed="the broker reported an error")),
        # none of the conversation's business
        ("listening", Unreadable("no JSON", b"{"), Step("listening")),
        ("subscribing", Ignored("stream 'x'"), Step("subscribing")),
        ("closed", EVENT, Step("closed")),
    ],
)
def test_advance(stage: Stage, message: Message, step: Step) -> None:
    """What a message means at a stage."""
    assert advance(stage, message) == step
