"""Whatever a receiver does costs one time-out, and no reason shows its address. Real sockets."""

import asyncio
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from realtime.config.settings import WebhookSettings
from realtime.notify import address_guard
from realtime.notify.address_guard import (
    AddressNotAllowed,
    check_address,
    is_public,
    make_connector,
)
from realtime.notify.delivery_queue import Failure
from realtime.notify.webhook_client import WebhookClient
from realtime.secret import Secret
from tests.notify.scene import SECRET

SECRET_PATH = "T0PSECRETPATH"
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A receiver that reads a request's head, then calls `behave`; yields its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settings(
    port: int, scheme: str = "http", host: str = "127.0.0.1", **more: Any
) -> WebhookSettings:
    values: dict[str, Any] = {
        "name": "desk",
        "url": Secret(f"{scheme}://{host}:{port}/services/{SECRET_PATH}?token={SECRET_PATH}"),
        "host": f"{scheme}://{host}:{port}",
        "secrets": (Secret(SECRET),),
        "allow_host": host,
        "timeout_s": 1,
        **more,
    }
    return WebhookSettings(**values)


async def send(made: WebhookSettings) -> Failure | None:
    client = WebhookClient(made, make_connector, lambda: 1.0)
    try:
        async with asyncio.timeout(30):
            failure = await client.send("msg_1", b"{}")
    finally:
        await client.close()
    assert SECRET_PATH not in repr(failure)
    assert SECRET not in repr(failure)
    return failure


def respond(data: bytes) -> Behave:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return behave


async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def hang_after_status(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
    await asyncio.Event().wait()


async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("behave", "kind", "word"),
    [
        (respond(OK), None, ""),
        (respond(OK.replace(b"200", b"204")), None, ""),
        (respond(OK.replace(b"200", b"500")), "rejected", "status 500"),
        (respond(OK.replace(b"200", b"404")), "rejected", "status 404"),
        (respond(OK.replace(b"200", b"503")), "unreachable", "status 503"),
        (respond(OK.replace(b"200", b"410")), "gone", "status 410"),
        (hang, "unreachable", "no response within 1 s"),
        (respond(b""), "unreachable", "closed before the response"),
        (respond(b"HTTP/1.1 200 OK\r\ncontent-le"), "unreachable", "closed before the response"),
        (respond(b"\x00\xff not http\r\n\r\n"), "unreachable", "no usable response"),
        (respond(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 100_000), "unreachable", ""),
        # The status has confirmed the message, whatever becomes of the body.
        (respond(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"), None, ""),
        (hang_after_status, None, ""),
        (pour, None, ""),
    ],
)
async def test_a_receiver_may_do_anything(behave: Behave, kind: str | None, word: str) -> None:
    async with server(behave) as port:
        failure = await send(settings(port))
    assert (None if failure is None else failure.kind) == kind
    assert word in (failure.reason if failure else "")


async def test_a_body_without_end_is_not_read_to_its_end() -> None:
    written = 0

    async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()
            written += 0x1000

    async with server(count) as port:
        assert await send(settings(port)) is None
    assert written < 16 * 2**20  # what fits into the buffers of two sockets, and not more


async def test_redirects_are_not_followed() -> None:
    visits = 0

    async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        writer.write(OK)

    async with server(count) as target:
        location = f"http://127.0.0.1:{target}/".encode()
        head = b"HTTP/1.1 307 Temporary Redirect\r\ncontent-length: 0\r\nlocation: %b\r\n\r\n"
        async with server(respond(head % location)) as port:
            failure = await send(settings(port))
    assert failure is not None
    assert (failure.kind, visits) == ("rejected", 0)
    assert "redirects are not followed" in failure.reason


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate without a signature of an authority."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def make_certificate(directory: Path) -> Path:
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        ],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    return directory


def tls_of(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context


async def test_an_invalid_certificate_is_refused(certificate: Path) -> None:
    async with server(respond(OK), tls_of(certificate)) as port:
        failure = await send(settings(port, "https", "localhost"))
    assert failure is not None
    assert failure.kind == "unreachable"
    assert "invalid certificate: self-signed certificate" in failure.reason


async def test_certificates_of_an_authority_of_ones_own_are_accepted_and_no_others(
    certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = (certificate / "cert.pem").read_text()
    async with server(respond(OK), tls_of(certificate)) as port:
        assert await send(settings(port, "https", "localhost", authorities=authority)) is None
    another = (make_certificate(tmp_path_factory.mktemp("other")) / "cert.pem").read_text()
    async with server(respond(OK), tls_of(certificate)) as port:
        failure = await send(settings(port, "https", "localhost", authorities=another))
    assert failure is not None
    assert "invalid certificate" in failure.reason


async def test_a_certificate_of_another_host_is_refused(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=certificate / "cert.pem")

    async def send_to(host: str, port: int) -> Failure | None:
        connect = lambda _: aiohttp.TCPConnector(ssl=trusting)  # noqa: E731 - one expression
        client = WebhookClient(settings(port, "https", host), connect, lambda: 1.0)
        try:
            return await client.send("msg_1", b"{}")
        finally:
            await client.close()

    async with server(respond(OK), tls_of(certificate)) as port:
        assert await send_to("localhost", port) is None
        failure = await send_to("127.0.0.1", port)
    assert failure is not None
    assert "invalid certificate: IP address mismatch" in failure.reason


async def test_nothing_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failure = await send(settings(unused.getsockname()[1]))
    assert failure is not None
    assert failure.reason.startswith("not connected: ")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_is_refused_unless_its_name_is_allowed(host: str) -> None:
    reached = False

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached = True
        writer.write(OK)

    async with server(note) as port:
        failure = await send(settings(port, host=host, allow_host=None))
    assert failure is not None
    assert "on this machine or a private network" in failure.reason
    assert "allow_host" in failure.reason
    assert not reached


async def test_a_name_whose_address_changes_after_the_check_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: whatever the second answer is, the address that is connected to is checked."""
    answers = iter(["93.184.215.14", "127.0.0.1", "127.0.0.1"])
    lookups = 0

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        nonlocal lookups
        lookups += 1
        address = next(answers) if host == "hooks.example" else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    next(answers)  # what a check at the start of the daemon would have seen
    async with server(respond(OK)) as port:
        failure = await send(settings(port, host="hooks.example", allow_host=None))
    assert failure is not None
    assert "private network" in failure.reason
    assert lookups == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        *((address, False) for address in (
            "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
            "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1",
            "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:10.0.0.1",
            "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
        )),
    ],
)  # fmt: skip
def test_addresses_that_are_public(address: str, expected: bool) -> None:
    assert is_public(address) == expected


def test_an_address_of_this_machine_is_refused_even_if_it_is_public() -> None:
    """As on a server whose own address is public: here the machine's own stands for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("127.0.0.2", 9))
    assert address_guard.is_own("127.0.0.1", socket.AF_INET)
    with pytest.raises(AddressNotAllowed):
        check_address("127.0.0.1", socket.AF_INET)
    assert ipaddress.ip_address("127.0.0.1").is_loopback


async def test_no_proxy_of_the_environment_gets_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with server(respond(OK)) as port:
        assert await send(settings(port)) is None


async def test_a_lookup_that_hangs_ends_with_the_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: Any, **__: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(address_guard.Resolver, "resolve", never)
    failure = await send(settings(9, host="hooks.example", allow_host=None))
    assert failure is not None
    assert "no response within 1 s" in failure.reason


def test_the_session_neither_keeps_cookies_nor_follows_the_environment() -> None:
    async def look() -> None:
        client = WebhookClient(settings(9), make_connector, lambda: 1.0)
        session = client._session
        assert isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        assert not session.trust_env
        await client.close()

    asyncio.run(look())
