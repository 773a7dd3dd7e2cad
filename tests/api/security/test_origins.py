"""Names of hosts and origins that may act."""

import asyncio

import pytest

from realtime.store.store import Store
from tests.api.guarded import guarded, read_answer, token
from tests.api.reader import Clock

OWN = "Host: 127.0.0.1"
SITE = "Sec-Fetch-Site: "


async def ask(store: Store, *lines: str, target: str = "/session", method: str = "POST") -> str:
    async with guarded(store, Clock()) as server:
        source, sink = await asyncio.open_connection("127.0.0.1", server.port)
        head = [f"{method} {target} HTTP/1.1", *lines, f"Authorization: Bearer {token()}"]
        sink.write("\r\n".join([*head, "Content-Length: 0", "", ""]).encode())
        async with asyncio.timeout(30):
            answer = await read_answer(source)
        sink.close()
    return answer.code or str(answer.status)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((OWN,), "200"),
        ((OWN, "Origin: http://127.0.0.1"), "200"),
        ((OWN, "Origin: https://127.0.0.1"), "200"),
        (("Host: 127.0.0.1:80", "Origin: http://127.0.0.1"), "200"),
        ((OWN, "Origin: https://127.0.0.1", "X-Forwarded-Proto: https"), "200"),
        ((OWN, "Origin: http://127.0.0.1", "X-Forwarded-Proto: https"), "cross_origin"),
        ((OWN, "Origin: https://127.0.0.1", "X-Forwarded-Proto: http"), "cross_origin"),
        ((OWN, "Origin: http://127.0.0.1:81"), "cross_origin"),
        ((OWN, "Origin: null"), "cross_origin"),
        ((OWN, "Origin: ftp://127.0.0.1"), "cross_origin"),
        ((OWN, "Origin: https://page.example"), "200"),
        ((OWN, "Origin: http://page.example"), "cross_origin"),
        ((OWN, SITE + "cross-site"), "cross_origin"),
        ((OWN, SITE + "same-site"), "cross_origin"),
        ((OWN, SITE + "same-origin"), "200"),
        ((OWN, "Origin: http://127.0.0.1", "Origin: http://evil.example"), "malformed_request"),
        ((OWN, OWN), "malformed_request"),
        ((OWN, "Host: evil.example"), "malformed_request"),
        (("Host: evil.example",), "wrong_host"),
        (("Host: [::1]:8090",), "200"),
    ],
)
async def test_only_own_and_named_origins_may_act(
    store: Store, lines: tuple[str, ...], expected: str
) -> None:
    assert await ask(store, *lines) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://127.0.0.1/session", "200"),
        ("http://evil.example/session", "malformed_request"),
        ("http://127.0.0.1:81/session", "malformed_request"),
    ],
)
async def test_target_and_host_name_the_same_server(
    store: Store, target: str, expected: str
) -> None:
    assert await ask(store, OWN, target=target, method="GET") == expected
