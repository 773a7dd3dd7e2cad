"""Who may move money: every route against tokens that may not, and one that knows one account."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from realtime.api.order_routes import ORDER_ROUTES
from realtime.auth.keys import Key
from realtime.auth.principal import PERMISSIONS, Permission
from realtime.auth.tokens import TokenRules, issue_token
from realtime.config.settings import AuthSettings, OrderLimits, Settings
from tests.api.orders.client import MARKET, Reply, Trader, play
from tests.virtual import wall_clock

KEYS = (Key(algorithm="HS256", material=b"x" * 32),)
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET}


def bearer(
    *accounts: str, user_id: str = "ann", permissions: frozenset[Permission] = PERMISSIONS
) -> str:
    token = issue_token(
        KEYS,
        TokenRules(),
        user_id=user_id,
        accounts=accounts or ["*"],
        permissions=sorted(permissions),
        now=wall_clock(),
        valid_s=600,
    )
    return f"Bearer {token}"


def wants_tokens(**users: OrderLimits) -> Callable[[Settings], Settings]:
    def change(settings: Settings) -> Settings:
        orders = structs.replace(settings.orders, users=users)
        return structs.replace(settings, auth=AuthSettings(keys=KEYS), orders=orders)

    return change


def at_brokers(trader: Trader) -> int:
    return sum(len(trader.at_broker(label)) for label in ("alpha", "bravo", "charlie"))


@pytest.mark.parametrize("missing", ["trading", "account_access"])
def test_every_route_wants_its_permission(tmp_path: Path, missing: Permission) -> None:
    """Without `trading` nothing moves; without `account_access` nothing is read."""

    async def scene(trader: Trader) -> None:
        before = at_brokers(trader)
        token = bearer(permissions=PERMISSIONS - {missing})
        for route in ORDER_ROUTES:
            if (route.method == "GET") == (missing == "account_access"):
                for path in route.paths:
                    for prefix in ("", "/api/v1"):
                        url = prefix + path.format(symbol="AAPL", order_id="x", account_id="alpha")
                        answer = await trader.ask(
                            route.method, f"{url}?confirm=true", ORDER, Authorization=token
                        )
                        assert (answer.status, answer.json["code"]) == (403, "permission_missing")
                        bare = await trader.ask(route.method, url, ORDER)
                        assert (bare.status, bare.json["code"]) == (401, "token_missing")
        assert at_brokers(trader) == before
        assert not trader.fleet.daemon.trading_service.kill_switch.state.halted
        assert not trader.fleet.daemon.trading_service.gateway.liquidating

    play(scene, tmp_path, change=wants_tokens())


def test_anothers_account_does_not_exist(tmp_path: Path) -> None:
    """Not in the path, the query, the body, a batch or a strategy; not by an order's id either."""

    async def scene(trader: Trader) -> None:
        mine, whole = bearer("alpha"), bearer()
        theirs = await trader.order(
            "bravo", type="limit", limit_price="1", client_order_id="theirs", Authorization=whole
        )
        assert theirs.status == 200, theirs.json
        before = at_brokers(trader)

        async def ask(method: str, path: str, body: object = None) -> Reply:
            return await trader.ask(method, path, body, Authorization=mine)

        order_id = theirs.json["id"]
        body = {**ORDER, "account_id": "bravo"}
        for method, path, sent in [
            ("POST", "/orders", body),
            ("POST", "/orders", {**body, "force": True}),
            ("POST", "/stocks/order", body),
            ("POST", "/stocks/AAPL/buy?qty=1&account_id=bravo", None),
            ("POST", "/stocks/AAPL/sell", {"qty": 1, "account_id": "bravo"}),
            ("GET", "/orders?account_id=bravo", None),
            ("GET", "/orders?account_id=alpha,bravo", None),
            ("DELETE", "/orders?account_id=bravo", None),
            ("GET", f"/orders/{order_id}?account_id=bravo", None),
            ("PATCH", f"/orders/{order_id}?account_id=bravo", {"limit_price": "2"}),
            ("DELETE", f"/orders/{order_id}?account_id=bravo", None),
            ("GET", "/orders/by_client_order_id?client_order_id=theirs&account_id=bravo", None),
            ("GET", "/account?account_id=bravo", None),
            ("GET", "/positions?account_id=bravo", None),
            ("DELETE", "/positions/bravo", None),
            ("DELETE", "/positions/bravo/AAPL", None),
            ("GET", "/orders/closing?account_id=bravo", None),
            ("DELETE", "/orders/closing?account_id=bravo", None),
            ("POST", "/orders/halt?account_id=bravo", None),
            ("POST", "/orders/resume?account_id=bravo", None),
            ("GET", "/realtime/budget/bravo", None),
        ]:
            answer = await ask(method, path, sent)
            assert (answer.status, answer.json["code"]) == (404, "unknown_account"), (method, path)
        for method in ("GET", "PATCH", "DELETE"):
            changes = {"limit_price": "2"} if method == "PATCH" else None
            answer = await ask(method, f"/orders/{order_id}", changes)
            assert (answer.status, answer.json["code"]) == (404, "unknown_order")
        none = await ask("GET", "/orders/by_client_order_id?client_order_id=theirs")
        assert none.json["code"] == "unknown_order"
        for words in ({"labels": ["bravo"]}, {"tier": "none", "strategy": "random"}):
            assert (await ask("POST", "/orders", {**ORDER, **words})).json["code"] == "no_account"
        many = await ask("POST", "/orders/batch", [body, {**body, "account_id": "charlie"}])
        assert [item["status"] for item in many.json] == [404, 404]
        assert at_brokers(trader) == before
        assert {row["account_id"] for row in (await ask("GET", "/orders")).json} <= {"alpha"}
        assert (await ask("POST", "/orders", ORDER)).json["account_id"] == "alpha"

    play(scene, tmp_path, change=wants_tokens())


def test_everything_is_everything_of_theirs(tmp_path: Path) -> None:
    """Whoever knows one account cancels, closes and halts that one, and sees no other's halt."""

    async def scene(trader: Trader) -> None:
        mine, whole = bearer("alpha"), bearer()
        for label in ("alpha", "bravo"):
            placed = await trader.order(label, type="limit", limit_price="1", Authorization=whole)
            assert placed.status == 200
        canceled = await trader.ask("DELETE", "/orders", Authorization=mine)
        assert [item["account_id"] for item in canceled.json] == ["alpha"]
        assert trader.fleet.working("bravo")
        closed = await trader.ask("DELETE", "/positions?confirm=true&wait_s=30", Authorization=mine)
        assert [row["account_id"] for row in closed.json["accounts"]] == ["alpha"]
        assert trader.fleet.working("bravo")
        everybody = await trader.ask("POST", "/orders/halt", Authorization=mine)
        assert (everybody.status, everybody.json["code"]) == (422, "invalid_order")
        await trader.ask("POST", "/orders/halt?account_id=bravo", Authorization=whole)
        seen = await trader.ask("GET", "/orders/halt", Authorization=mine)
        assert seen.json == {"halted": False, "scopes": []}
        await trader.ask("POST", "/orders/halt", Authorization=whole)
        seen = await trader.ask("GET", "/orders/halt", Authorization=mine)
        assert [scope["account_id"] for scope in seen.json["scopes"]] == [None]
        freed = await trader.ask("POST", "/orders/resume", Authorization=mine)
        assert freed.status == 422
        assert (await trader.order("alpha", Authorization=mine)).status == 423

    play(scene, tmp_path, change=wants_tokens())


def test_caps_of_a_user(tmp_path: Path) -> None:
    """By the token's `user_id`, over all accounts; another token of the same user shares them."""

    async def scene(trader: Trader) -> None:
        bot, again, ann = bearer(user_id="bot"), bearer("alpha", user_id="bot"), bearer()
        first = await trader.order("alpha", Authorization=bot)
        assert first.status == 200
        second = await trader.order("alpha", Authorization=again)
        assert (second.status, second.json["guard"]) == (429, "rate")
        assert int(second.headers["Retry-After"]) <= 60
        third = await trader.order("bravo", symbol="MSFT", Authorization=bot)
        assert (third.status, third.json["guard"]) == (403, "symbol")
        assert (await trader.order("alpha", symbol="MSFT", Authorization=ann)).status == 200

    caps = OrderLimits(max_orders_per_minute=1, symbols=("AAPL",))
    play(scene, tmp_path, change=wants_tokens(bot=caps))


def test_keys_of_two_callers_are_two(tmp_path: Path) -> None:
    """The same `Idempotency-Key` from somebody else is another order."""

    async def scene(trader: Trader) -> None:
        ids = [
            (await trader.order("alpha", Idempotency_Key=key, Authorization=bearer(user_id=name)))
            .json["id"]
            for name, key in (("ann", "k"), ("bob", "k"), ("ann", "b/k"), ("ann/b", "k"))
        ]  # fmt: skip
        assert len(set(ids)) == 4

    play(scene, tmp_path, change=wants_tokens())


def test_refusals_that_concern_the_token_are_security_events(tmp_path: Path) -> None:
    """Also those that no middleware knows of, because routing or the last moment refuses."""

    async def scene(trader: Trader) -> None:
        mine, words = bearer("alpha"), {"strategy": "random", "tier": "none"}
        with capture_logs() as lines:
            for method, path, body in (
                ("POST", "/orders", {**ORDER, **words}),
                ("POST", "/orders", {**ORDER, "qty": "1e29"}),
                ("GET", "/account?strategy=random&tier=none", None),
            ):
                await trader.ask(method, path, body, Authorization=mine)
        rejected = [line for line in lines if line["event"] == "auth.rejected"]
        assert [(line["reason"], line["principal"]) for line in rejected] == [("no_account", "ann")]

    play(scene, tmp_path, change=wants_tokens())


def test_only_orders_have_an_idempotency_key(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        url = f"http://127.0.0.1:{trader.fleet.daemon.port}"
        keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        http = trader.fleet.http
        async with http.get(f"{url}/realtime/summary", headers=keys) as read:
            assert read.status == 200
        async with http.post(f"{url}/stocks/AAPL/buy?qty=1", headers=keys) as order:
            assert (order.status, (await order.json())["code"]) == (422, "invalid_order")

    play(scene, tmp_path)
