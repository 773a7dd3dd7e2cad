"""Without tokens, a page of another site must not cause requests to the broker."""

from pathlib import Path

import pytest

from tests.api.orders.client import Trader, play

READS = (
    "/orders/by_client_order_id?client_order_id=none&account_id=alpha",
    "/broker/account?account_id=alpha&use_cache=false",
    "/broker/positions?account_id=alpha&use_cache=false",
    "/broker/orders?account_id=alpha&use_cache=false",
)


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({}, False),
        ({"Sec_Fetch_Site": "same-origin"}, False),
        ({"Sec_Fetch_Site": "none"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, True),
        ({"Sec_Fetch_Site": "same-site"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
    ],
)
def test_reads_of_another_site_are_refused(
    tmp_path: Path, headers: dict[str, str], is_refused: bool
) -> None:
    async def scene(trader: Trader) -> None:
        for path in READS:
            for prefix in ("", "/api/v1"):
                reply = await trader.ask("GET", prefix + path, **headers)
                code = reply.json["code"] if reply.status >= 400 else ""
                assert (code == "cross_origin") == is_refused, (path, reply)

    play(scene, tmp_path, accounts=1)


def test_reads_from_memory_are_not_refused_to_another_site(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        for name in ("account", "positions", "orders"):
            for use_cache in ("", "&use_cache=true"):
                path = f"/broker/{name}?account_id=alpha{use_cache}"
                assert (await trader.ask("GET", path, Sec_Fetch_Site="cross-site")).status == 200

    play(scene, tmp_path, accounts=1)
