"""What the broker's responses mean: placed, refused for certain, or unknown."""

import asyncio

import pytest

from realtime.broker.order_api import OrderResponse
from realtime.core.model import Order, OrderId
from realtime.errors import (
    BrokerError,
    LinkError,
    NotSent,
    ProtocolViolation,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.order_client import to_declined, to_read_refusal
from tests.orders.trading import broker, order, trading
from tests.virtual import run


def rejected(status: int, body: bytes = b'{"code": 1, "message": "no"}') -> BrokerError:
    return BrokerError("no", status=status, code=1, body=body)


REFUSALS: list[tuple[RealtimeError, str, bool]] = [
    (NotSent("no connection"), "broker_unreachable", False),
    (NotSent("no budget", retry_after_s=3.0), "budget_spent", False),
    (RateLimited("429"), "rate_limited", True),
    (Refused("401"), "account_refused", True),
    (rejected(403), "broker_forbids", True),
    (rejected(404), "broker_knows_not", True),
    (rejected(422), "broker_refuses", True),
    (rejected(422, b"<html>"), "broker_refuses", True),
    (rejected(422, b"[" * 50_000), "broker_refuses", True),
]


@pytest.mark.parametrize(("error", "code", "reached_broker"), REFUSALS, ids=lambda v: str(v)[:30])
def test_a_definite_refusal(error: RealtimeError, code: str, reached_broker: bool) -> None:
    declined = to_declined(error, "alpha")
    assert (declined.code, declined.reached_broker) == (code, reached_broker)


def test_a_failed_read_is_a_refusal_because_nothing_took_effect() -> None:
    assert to_read_refusal(LinkError("cut")).code == "broker_unreachable"
    assert to_read_refusal(rejected(403)).code == "broker_forbids"


@pytest.mark.parametrize("error", [LinkError("cut"), ProtocolViolation("no JSON")], ids=str)
@pytest.mark.parametrize("has_left", [False, True])
def test_a_lost_response_is_a_refusal_only_if_nothing_left(
    error: RealtimeError, has_left: bool
) -> None:
    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:

            async def lose() -> OrderResponse:
                raise error

            order_client = setup.gateway.order_clients["alpha"]
            try:
                await order_client.send("o", lose, has_left=lambda: has_left, is_ours=True)
            except Declined as declined:
                return declined.code
            except Unresolved:
                return "order_unknown"
            return "placed"

    assert run(main) == ("order_unknown" if has_left else "broker_unreachable")


def test_an_order_that_arrived_later_is_found() -> None:
    async def main() -> tuple[str | None, bool]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            order_client = setup.gateway.order_clients["alpha"]

            async def lose() -> OrderResponse:
                raise LinkError("cut")

            task = asyncio.create_task(
                order_client.send("late", lose, has_left=lambda: True, is_ours=True)
            )
            await asyncio.sleep(2)
            body = {"symbol": "KO", "qty": "1", "side": "buy", "type": "market"}
            simulator.exchange.submit(
                "alpha", {**body, "time_in_force": "day", "client_order_id": "late"}
            )
            response, was_recovered = await task
            return response.order.client_order_id, was_recovered

    assert run(main) == ("late", True)


def test_a_lost_cancel_is_repeated_until_its_result_is_known() -> None:
    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            placed = await setup.place(order(type="limit", limit_price="1"))
            simulator.add_fault({"kind": "server_error", "method": "DELETE", "count": 2})
            await setup.cancel("alpha", placed.order.id)
            return str(setup.at_broker("alpha")[0]["status"])

    assert run(main) in ("canceled", "pending_cancel")


def test_every_order_of_a_response_is_passed_on() -> None:
    async def main() -> list[str]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            orders: list[Order] = []
            setup.gateway.order_clients["alpha"].on_order = orders.append
            placed = await setup.place(order())
            assert [each.id for each in orders] == [placed.order.id]
            return [OrderId(each.id) for each in orders]

    assert len(run(main)) == 1
