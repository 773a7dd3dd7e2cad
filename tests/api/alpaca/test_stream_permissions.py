"""Streams of trade updates end when what authorized them does: a pair of keys, or a token."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from realtime.api.alpaca import trading_socket
from realtime.config.settings import Settings
from realtime.secret import Credentials, Secret
from tests.api.alpaca.client import Client, keys, trade
from tests.api.alpaca.test_account_selection import only, token, with_tokens
from tests.api.alpaca.test_trading_socket import AUTH, events, listening, socket
from tests.auth.made import claims, signed
from tests.virtual import EPOCH_S

NEW = {"action": "auth", "key": "new-alpha", "secret": "demo-secret-alpha"}


async def rotate(client: Client, label: str = "alpha") -> None:
    """Give an account another pair, at the broker and in the files."""
    client.fleet.simulator.credentials.rotate(label, f"new-{label}")
    reloader = client.fleet.daemon.reloader
    pair = Credentials(key_id=Secret(f"new-{label}"), secret_key=Secret(f"demo-secret-{label}"))
    accounts = tuple(
        structs.replace(account, credentials=pair) if account.label == label else account
        for account in reloader.settings.accounts
    )

    async def read_settings() -> Settings:
        return structs.replace(reloader.settings, accounts=accounts)

    reloader._read_settings = read_settings
    await client.fleet.daemon.reload()
    await asyncio.sleep(1)
    await client.fleet.until(client.fleet.all_synced)


def test_sockets_of_a_replaced_pair_end_and_the_new_pair_is_accepted(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with (
            listening(client) as old,
            socket(client) as idle,
            events(client) as stream,
            socket(client) as other,
        ):
            await idle.send(AUTH)
            assert (await idle.receive())["data"]["status"] == "authorized"
            await other.send({"action": "auth", "key": "demo-bravo", "secret": "demo-secret-bravo"})
            assert (await other.receive())["data"]["status"] == "authorized"
            await rotate(client)
            assert await old.receive() is None
            with pytest.raises(aiohttp.ClientError):  # aborted: an orderly end would be final
                await stream.read()
            listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
            await idle.send(listen)
            assert (await idle.receive())["action"] == "error"
            await other.send(listen)
            assert (await other.receive())["stream"] == "listening"
        async with socket(client) as refused, socket(client) as accepted:
            await refused.send(AUTH)
            assert (await refused.receive())["data"]["status"] == "unauthorized"
            await accepted.send(NEW)
            assert (await accepted.receive())["data"]["status"] == "authorized"

    trade(scene, tmp_path)


def test_server_sent_events_end_with_their_token(tmp_path: Path) -> None:
    """Ten minutes after its issue; within a heartbeat."""

    async def scene(client: Client) -> None:
        url = f"http://127.0.0.1:{client.fleet.daemon.port}/v2/events/trades"
        bearer = f"Bearer {token(account_id='alpha')}"
        loop = asyncio.get_running_loop()
        began = loop.time()
        headers, timeout = {"Authorization": bearer}, aiohttp.ClientTimeout(total=None)
        async with client.fleet.http.get(url, headers=headers, timeout=timeout) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        assert loop.time() - began < 600 + 16

    trade(scene, tmp_path, change=with_tokens)


def test_a_longer_token_replaces_the_end_of_a_shorter_one(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with socket(client) as connected:
            short, long = (
                token(account_id="alpha"),
                signed(claims(account_id="alpha", exp=int(EPOCH_S) + 6000)),
            )
            for secret in (short, long):
                await connected.send({"action": "auth", "key": "alpha", "secret": secret})
                assert (await connected.receive())["data"]["status"] == "authorized"
            with pytest.raises(TimeoutError):  # its own limit begins again with every ping
                await asyncio.wait_for(connected.receive(), 700)
            await connected.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
            assert (await connected.receive())["stream"] == "listening"

    trade(scene, tmp_path, change=with_tokens)


@pytest.mark.parametrize(
    "message",
    [
        {"action": "auth", "key": "oauth", "secret": "TOKEN"},
        {"action": "authenticate", "data": {"oauth_token": "TOKEN"}},
    ],
)
def test_a_token_alone_is_accepted_in_both_forms(tmp_path: Path, message: dict[str, Any]) -> None:
    """The second is that of C#."""

    def fill_in(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: fill_in(inner) for name, inner in value.items()}
        return token(account_id="alpha") if value == "TOKEN" else value

    async def scene(client: Client) -> None:
        async with socket(client) as connected:
            await connected.send(fill_in(message))
            assert (await connected.receive())["data"]["status"] == "authorized"

    trade(scene, tmp_path, change=with_tokens)


def test_too_many_clients_are_refused_inside_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An HTTP error at the handshake would make clients give up, or repeat without a pause."""
    monkeypatch.setattr(trading_socket, "MAX_CLIENTS", 2)

    async def scene(client: Client) -> None:
        async with socket(client) as one, socket(client) as two, socket(client) as three:
            assert (await three.receive())["data"]["error_message"] == "connection limit exceeded"
            assert await three.receive() is None
            for connected in (one, two):
                await connected.send(AUTH)
                assert (await connected.receive())["data"]["status"] == "authorized"

    trade(scene, tmp_path)


def test_a_client_that_does_not_authorize_is_closed_with_a_reason(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with socket(client) as connected:
            assert (await connected.receive())["data"]["error_message"] == "auth timeout"
            assert await connected.receive() is None

    trade(scene, tmp_path)


def test_events_need_credentials(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        for headers in (only({}), keys("bravo") | {"APCA-API-SECRET-KEY": "x"}):
            reply = await client.here("GET", "/v2/events/trades", headers=headers)
            assert (reply.status, reply.body) == (401, b'{"message": "unauthorized."}')

    trade(scene, tmp_path)
