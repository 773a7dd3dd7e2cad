"""Which credentials select which account, and what is answered to those that select none."""

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from realtime.api.security.middleware import MAX_BODY_BYTES
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.config.settings import AuthSettings, Settings
from tests.api.alpaca.client import Client, Reply, keys, trade
from tests.auth.made import SECRET, claims, signed
from tests.virtual import EPOCH_S

SOURCE = "X-Realtime-Source"
UNAUTHORIZED = b'{"message": "unauthorized."}'


def with_tokens(settings: Settings) -> Settings:
    """Require tokens."""
    rules = TokenRules(leeway_s=0)
    return structs.replace(settings, auth=AuthSettings(rules=rules, keys=parse_secrets(SECRET)))


def token(**more: object) -> str:
    """A token that is valid in virtual time."""
    return signed(claims(exp=int(EPOCH_S) + 600, iat=int(EPOCH_S), **more))


def basic(text: str) -> dict[str, Any]:
    return only({"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"})


def only(headers: dict[str, Any]) -> dict[str, Any]:
    """These headers, and no keys."""
    return {"APCA-API-KEY-ID": None, "APCA-API-SECRET-KEY": None, **headers}


async def account(client: Client, headers: dict[str, Any]) -> Reply:
    return await client.here("GET", "/v2/account", headers=headers)


def number(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return str(reply.json["account_number"])


def test_own_pair_selects_its_account(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        for at, label in enumerate(("alpha", "bravo", "charlie")):
            reply = await account(client, keys(label))
            assert number(reply) == f"PA0SIM{at + 1:06d}"
            assert reply.headers["X-Realtime-Account"] == label
            assert reply.headers["X-Realtime-Environment"] == "sim"
            basic_reply = await account(client, basic(f"demo-{label}:demo-secret-{label}"))
            assert number(basic_reply) == number(reply)

    trade(scene, tmp_path)


@pytest.mark.parametrize(
    "headers",
    [
        {"APCA-API-KEY-ID": "demo-bravo"},  # with alpha's secret
        {"APCA-API-SECRET-KEY": "demo-secret-bravo"},
        {"APCA-API-KEY-ID": "PKUNKNOWN", "APCA-API-SECRET-KEY": "x"},
        {"APCA-API-KEY-ID": ""},
        only({}),
        only({"APCA-API-KEY-ID": "demo-alpha"}),
        only({"Authorization": "Basic !!!"}),
        basic("demo-alpha"),
        only({"Cookie": "realtime_token=x"}),
    ],
)
def test_other_keys_get_the_brokers_own_refusal(tmp_path: Path, headers: dict[str, Any]) -> None:
    async def scene(client: Client) -> None:
        before = client.requests()
        for method, target in (
            ("GET", "/v2/account"), ("POST", "/v2/orders"), ("GET", "/v2/invented"),
        ):  # fmt: skip
            reply = await client.here(method, target, headers=headers)
            assert (reply.status, reply.body) == (401, UNAUTHORIZED)
        assert client.requests() == before
        assert client.at_broker() == []

    trade(scene, tmp_path)


def test_pair_beside_a_token_is_ambiguous(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        reply = await account(client, {**keys("alpha"), "Authorization": "Bearer x"})
        assert reply.status == 401

    trade(scene, tmp_path)


def test_token_in_the_place_of_the_secret(tmp_path: Path) -> None:
    """Its accounts and permissions count; the broker's keys work beside it."""

    def pair(label: str, secret: str) -> dict[str, str]:
        return {"APCA-API-KEY-ID": label, "APCA-API-SECRET-KEY": secret}

    async def scene(client: Client) -> None:
        reader = token(account_id="alpha", permissions=["account_access"])
        assert number(await account(client, pair("alpha", reader))) == "PA0SIM000001"
        assert (await account(client, pair("bravo", reader))).body == UNAUTHORIZED
        refused = await client.here("POST", "/v2/orders", {}, headers=pair("alpha", reader))
        assert (refused.status, refused.json["code"]) == (403, 40310000)
        wrong = await account(client, pair("alpha", "no token"))
        assert wrong.status == 401
        assert wrong.json["message"].startswith("realtime:")
        assert number(await account(client, keys("bravo"))) == "PA0SIM000002"

    trade(scene, tmp_path, change=with_tokens)


def test_bearer_token_names_one_account(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        def bearer(text: str, **more: str) -> dict[str, Any]:
            return only({"Authorization": f"Bearer {text}", **more})

        one = token(account_id="bravo", permissions=["account_access"])
        assert number(await account(client, bearer(one))) == "PA0SIM000002"
        many = token(account_id="*", permissions=["account_access"])
        assert (await account(client, bearer(many))).status == 403
        named = bearer(many, **{"X-Realtime-Account": "charlie"})
        assert number(await account(client, named)) == "PA0SIM000003"
        other = bearer(one, **{"X-Realtime-Account": "alpha"})
        assert (await account(client, other)).status == 403
        assert (await account(client, bearer("x"))).status == 401

    trade(scene, tmp_path, change=with_tokens)


def test_permission_to_trade_is_none_to_pay_out(tmp_path: Path) -> None:
    """The holder of a token has no keys: what is passed on with ours may move money out."""

    async def scene(client: Client) -> None:
        trader = token(account_id="alpha", permissions=["account_access", "trading"])
        with_token = {"APCA-API-KEY-ID": "alpha", "APCA-API-SECRET-KEY": trader}
        for method, target in (
            ("POST", "/v2/wallets/transfers"), ("POST", "/v2/wallets/whitelists"),
            ("DELETE", "/v2/wallets/whitelists/1"), ("POST", "/v1/locates"),
            ("POST", "/v2/tokenization/mint"), ("PUT", "/v9/invented"),
            ("POST", "/v2/account"), ("POST", "/v2/watchlistsx"),
            ("POST", "/v2/watchlists/../wallets/transfers"),
            ("POST", "/v2/watchlists/%2e%2e/wallets/transfers"),
        ):  # fmt: skip
            reply = await client.here(method, target, {}, headers=with_token)
            assert reply.status in (400, 403, 404), target
            assert SOURCE not in reply.headers, target
        for headers, target in (
            (with_token, "/v2/watchlists"), (keys("alpha"), "/v2/wallets/transfers"),
        ):  # fmt: skip
            reply = await client.here("POST", target, {"name": "x"}, headers=headers)
            assert reply.headers[SOURCE] == "upstream", target

    trade(scene, tmp_path, change=with_tokens)


def test_cached_answer_ends_with_its_keys(tmp_path: Path) -> None:
    """The same bytes are answered by the fast path; not after the keys in them were replaced."""

    async def scene(client: Client) -> None:
        for _ in range(3):
            assert (await account(client, keys("alpha"))).source == "memory"
        trading = client.fleet.daemon.trading_service.trading_accounts
        trading.remove("alpha")
        await asyncio.sleep(0)
        assert (await account(client, keys("alpha"))).body == UNAUTHORIZED

    trade(scene, tmp_path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://page.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8090"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_web_pages_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    async def scene(client: Client) -> None:
        for method, target in (
            ("GET", "/v2/account"), ("POST", "/v2/orders"), ("DELETE", "/v2/positions"),
            ("OPTIONS", "/v2/account"),
        ):  # fmt: skip
            reply = await client.here(method, target, headers=headers)
            assert reply.status == 403
            assert "Access-Control-Allow-Origin" not in reply.headers

    trade(scene, tmp_path)


def test_errors_before_the_handler_have_alpacas_form(tmp_path: Path) -> None:
    """A wrong name, a body that is too long: the SDKs read `code` and `message`."""

    async def scene(client: Client) -> None:
        wrong_name = await client.here("GET", "/v2/account", headers={"Host": "evil.example"})
        body = io.BytesIO(b"x" * (MAX_BODY_BYTES + 1))
        too_long = await client.here("POST", "/v2/orders", data=body)
        for reply, status in ((wrong_name, 421), (too_long, 413)):
            assert (reply.status, reply.json["code"]) == (status, 40010000)
            assert reply.json["message"].startswith("realtime: ")
        elsewhere = await client.here("GET", "/nowhere")
        assert elsewhere.headers["Content-Type"] == "application/problem+json"

    trade(scene, tmp_path)
