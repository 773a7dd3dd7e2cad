"""Targets that two servers may read differently are refused; every SDK's spelling is understood."""

import pytest

from realtime.api.alpaca.errors import AlpacaError
from realtime.api.alpaca.target import parse_target


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("/v2/account", ("v2", "account")),
        ("/v2/account/", ("v2", "account")),
        ("/v2/positions/BTC%2FUSD", ("v2", "positions", "BTC/USD")),
        ("/v2/positions/BTC/USD", ("v2", "positions", "BTC", "USD")),
        ("/v2/orders:by_client_order_id?client_order_id=a", ("v2", "orders:by_client_order_id")),
        ("/v2/orders%3Aby_client_order_id?client_order_id=a", ("v2", "orders:by_client_order_id")),
        ("http://127.0.0.1:8090/v2/clock", ("v2", "clock")),
    ],
)
def test_path_is_decoded_once(raw: str, segments: tuple[str, ...]) -> None:
    assert parse_target(raw).segments == segments


@pytest.mark.parametrize(
    "raw",
    [
        "/v2/../v2/orders",
        "/v2/./orders",
        "/v2/x/%2e%2e/orders",
        "/v2/x/..%2forders",
        "/v2/x%2f..%2f..%2forders",
        "/v2//orders",
        "/v2/watchlists//",
        "/v2/%2forders",
        "/v2/orders%2f",
        "/v2/%252e%252e/orders",
        "/v2/orders%00",
        "/v2/orders%0d%0aHost:x",
        "/v2/orders\\x",
        "/v2/orders%5cx",
        "/v2/orders#x",
        "/v2/orders%23x",
        "/v2/orders%3Fx",
        "/v2/orders;x=1",
        "/v2/orders%20",
        "/v2/%ff",
        "/v2/ordérs",
        "v2/orders",
        "",
    ],
)
def test_path_of_two_readings_is_refused(raw: str) -> None:
    with pytest.raises(AlpacaError) as caught:
        parse_target(raw)
    assert caught.value.response.status == 404


def test_plus_is_a_space_and_a_repeated_parameter_is_noted() -> None:
    target = parse_target("/v2/orders:by_client_order_id?client_order_id=a+b%2Fc%2B1")
    assert target.query == {"client_order_id": "a b/c+1"}
    assert target.is_plain
    assert not parse_target("/v2/orders?side=buy&side=sell").is_plain
    assert not parse_target("/v2/orders?side=%ff").is_plain
    assert parse_target("/v2/orders?symbols=").query == {"symbols": ""}
