"""Requests that move money: what becomes a path."""

import pytest

from realtime.broker.http_client import HttpClient, open_session
from realtime.broker.order_api import OrderApi
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.errors import NotSent
from realtime.secret import Credentials, Secret
from tests.virtual import VirtualConnector


@pytest.mark.parametrize(
    "order_id", ["", ".", "..", "../positions", "a/b", "a?b", "a\n", "a b", "é"]
)
async def test_only_an_order_id_becomes_a_path(order_id: str) -> None:
    """`DELETE /v2/orders/..` would reach another resource, or all orders."""
    async with open_session(VirtualConnector()) as session:
        credentials = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))
        limiter = RateLimiter(FleetLimiter())
        api = OrderApi(HttpClient(session, "http://127.0.0.1:1", credentials, limiter))
        for call in (api.cancel(order_id), api.replace(order_id, {}), api.find_by_id(order_id)):
            with pytest.raises(NotSent, match="not an order id"):
                await call
