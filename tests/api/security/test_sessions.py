"""How a browser gets in, and what does not."""

import re
from collections.abc import AsyncIterator

import pytest

from realtime.api.security.sessions import (
    LINK_LIFETIME_S,
    MAX_LINKS,
    MAX_LINKS_PER_TOKEN,
    SignInLinks,
)
from realtime.store.store import Store
from tests.api.documents.made import NOW
from tests.api.guarded import Guarded, Raw, get, guarded, token
from tests.api.reader import Clock, reading

DASHBOARD = "/realtime/dashboard/alpha"
ALPHA = token(account_id="alpha")


@pytest.fixture
async def server(store: Store, clock: Clock) -> AsyncIterator[Guarded]:
    async with guarded(store, clock) as server:
        yield server


def cookie_of(answer: Raw) -> str:
    found = re.search(r"Set-Cookie: ([^;]+)(;.*)?\r\n", answer.head)
    assert found, answer.head
    assert {"Path=/", "HttpOnly", "SameSite=Strict"} <= set(found[2].split("; "))
    return found[1]


async def post(server: Guarded, path: str, *lines: str, name: str | None = ALPHA) -> Raw:
    return (await server.exchange(get(path, name, *lines, method="POST")))[0]


async def test_a_token_becomes_a_cookie(server: Guarded) -> None:
    begun = await post(server, "/session")
    assert (begun.status, begun.json["user_id"], begun.json["accounts"]) == (200, "ann", ["alpha"])
    assert "; Max-Age=599;" in begun.head
    assert "Secure" not in begun.head
    cookie = f"Cookie: other=1; {cookie_of(begun)}; x=y"
    assert (await server.get(DASHBOARD, None, cookie)).status == 200
    assert (await server.get("/realtime/dashboard/bravo", None, cookie)).code == "unknown_account"
    assert (await server.get("/session", None, cookie)).json["user_id"] == "ann"


async def test_behind_tls_the_cookie_is_for_tls(server: Guarded) -> None:
    assert "; Secure\r\n" in (await post(server, "/session", "X-Forwarded-Proto: https")).head


async def test_a_cookie_ends_with_its_token(server: Guarded, clock: Clock) -> None:
    cookie = f"Cookie: {cookie_of(await post(server, '/session'))}"
    await server.get(DASHBOARD, None, cookie)
    clock.now = NOW + 600
    assert (await server.get(DASHBOARD, None, cookie)).code == "token_expired"


async def test_the_end_takes_the_cookie_back(server: Guarded) -> None:
    ended = (await server.exchange(get("/session", method="DELETE")))[0]
    assert ended.status == 204
    assert (cookie_of(ended), "Max-Age=0" in ended.head) == ("realtime_token=", True)


async def test_without_a_token_nobody_begins(server: Guarded) -> None:
    for path in ("/session", "/session/links"):
        assert (await post(server, path, name=None)).code == "token_missing"
        assert (await post(server, path, name="nonsense")).code == "token_invalid"


async def test_a_header_is_not_mended_by_a_cookie(server: Guarded) -> None:
    good = f"Cookie: realtime_token={ALPHA}"
    assert (await server.get(DASHBOARD, "nonsense", good)).code == "token_invalid"
    assert (await server.get(DASHBOARD, None, good, "Authorization: Basic YTpi")).status == 401
    other = f"Cookie: realtime_token={token(account_id='bravo')}"
    assert (await server.get("/realtime/dashboard/bravo", ALPHA, other)).status == 404


async def test_a_link_lets_in_once(server: Guarded) -> None:
    made = await post(server, "/session/links")
    path = made.json["path"]
    assert ALPHA not in path
    entered = (await server.exchange(get(path)))[0]
    assert (entered.status, "Location: /\r\n" in entered.head) == (303, True)
    assert "Cache-Control: no-store" in entered.head
    cookie = f"Cookie: {cookie_of(entered)}"
    assert (await server.get(DASHBOARD, None, cookie)).status == 200
    again = (await server.exchange(get(path)))[0]
    assert (again.status, again.code) == (410, "link_used")
    assert "Set-Cookie" not in again.head


async def test_a_link_is_not_followed_for_another_page(server: Guarded) -> None:
    path = (await post(server, "/session/links")).json["path"]
    for site in ("cross-site", "same-site"):
        led = (await server.exchange(get(path, None, f"Sec-Fetch-Site: {site}")))[0]
        assert (led.status, led.code) == (403, "cross_origin")
    typed = (await server.exchange(get(path, None, "Sec-Fetch-Site: none")))[0]
    assert typed.status == 303


async def test_a_link_of_an_ended_token_lets_nobody_in(server: Guarded, clock: Clock) -> None:
    clock.now = NOW + 590
    path = (await post(server, "/session/links")).json["path"]
    clock.now = NOW + 601
    assert (await server.exchange(get(path)))[0].code == "token_expired"


def test_links_are_bounded_and_end() -> None:
    clock, numbers = Clock(), iter(range(10**6))
    links = SignInLinks(clock, lambda: str(next(numbers)))
    codes = [links.add(str(n)) for n in range(MAX_LINKS + 1)]
    assert links.pop(codes[0]) is None
    assert links.pop(codes[1]) == "1"
    clock.now += LINK_LIFETIME_S
    assert links.pop(codes[2]) is None
    assert links.pop("never made") is None


def test_one_token_cannot_remove_the_links_of_others() -> None:
    numbers = iter(range(10**6))
    links = SignInLinks(Clock(), lambda: str(next(numbers)))
    other = links.add("other")
    codes = [links.add("t") for _ in range(MAX_LINKS * 2)]
    assert [links.pop(code) for code in codes[-MAX_LINKS_PER_TOKEN - 1 :]] == [
        None, *["t"] * MAX_LINKS_PER_TOKEN,
    ]  # fmt: skip
    assert links.pop(other) == "other"


async def test_where_no_token_is_wanted_there_are_no_sessions(store: Store, clock: Clock) -> None:
    async with reading(store, clock) as reader:
        assert (await reader.get("/session")).status == 404
