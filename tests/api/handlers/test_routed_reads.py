"""Lists of one account that a strategy chooses, and the metrics of routing and routes."""

from pathlib import Path

from tests.api.orders.client import Trader, play


def value(metrics: str, name: str, **labels: str) -> float:
    for line in metrics.splitlines():
        if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0.0


def test_list_of_orders_is_of_the_account_that_the_strategy_chooses(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        for label in ("alpha", "bravo", "charlie"):
            placed = await trader.order(label)
            assert placed.status == 200
        replies = [await trader.ask("GET", "/orders?strategy=round_robin") for _ in range(3)]
        for reply in replies:
            label = reply.headers["X-Realtime-Account"]
            assert {order["account_id"] for order in reply.json} == {label}
            assert reply.headers["X-Realtime-Route"] == "round_robin among 3"
        assert len({reply.headers["X-Realtime-Account"] for reply in replies}) == 3
        keyed = [await trader.ask("GET", "/orders?routing_key=k") for _ in range(3)]
        assert len({reply.headers["X-Realtime-Account"] for reply in keyed}) == 1
        among = await trader.ask("GET", "/orders?strategy=random&labels=bravo")
        assert among.headers["X-Realtime-Account"] == "bravo"
        everything = await trader.ask("GET", "/orders")
        assert {order["account_id"] for order in everything.json} == {"alpha", "bravo", "charlie"}
        assert "X-Realtime-Route" not in everything.headers
        none = await trader.ask("GET", "/orders?strategy=random&tier=nix")
        assert none.json["code"] == "no_account"

    play(scene, tmp_path)


def test_metrics_count_requests_by_route_and_decisions_by_strategy(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        for _ in range(4):
            await trader.ask("GET", "/account?strategy=round_robin")
            await trader.ask("GET", "/realtime/dashboard/alpha")
        url = f"http://127.0.0.1:{trader.fleet.daemon.port}/metrics"
        async with trader.fleet.http.get(url) as answer:
            metrics = await answer.text()
        name = "realtime_route_requests_total"
        assert value(metrics, name, method="GET", route="/account") == 4
        assert value(metrics, name, route="/realtime/dashboard/{account_id}") == 4
        assert value(metrics, "realtime_routed_total", strategy="round_robin") == 4

    play(scene, tmp_path)
