"""The environment's proxy leads to the broker, for REST and the stream, except on loopback."""

import asyncio

import pytest

from realtime.broker.proxies import find_proxy
from realtime.broker.trading_stream import TradingStream
from realtime.errors import ConfigError, LinkError
from tests.broker.brokers import client_of, raw_broker

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
REST, STREAM = "https://paper-api.alpaca.markets", "wss://paper-api.alpaca.markets/stream"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".alpaca.markets"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"}, "http://proxy:3128"),
    ],
)
def test_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: str | None
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert find_proxy(REST) == expected
    assert find_proxy(STREAM) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_loopback_uses_no_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    for scheme in ("http", "https", "ws", "wss"):
        assert find_proxy(f"{scheme}://{host}:8090/stream") is None


def test_socks_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:s3cr3t@proxy:1080")
    with pytest.raises(ConfigError, match="socks5") as caught:
        find_proxy(REST)
    assert "s3cr3t" not in str(caught.value)


async def test_rest_and_stream_connect_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_broker(proxy) as address:
        monkeypatch.setenv("ALL_PROXY", f"http://user:word@{address}")
        for url in ("https://broker.invalid", "http://broker.invalid"):
            async with client_of(url) as rest:
                with pytest.raises(LinkError):
                    await rest.fetch_account()
        with pytest.raises(LinkError):
            await TradingStream.connect("ws://broker.invalid/stream", ssl_context=None)
    assert [line.split()[:2] for line in lines] == [
        [b"CONNECT", b"broker.invalid:443"],
        [b"GET", b"http://broker.invalid/v2/account"],
        [b"CONNECT", b"broker.invalid:80"],
    ]
