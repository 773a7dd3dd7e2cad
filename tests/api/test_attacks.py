"""What strangers send gets the answer of the table: at first, again, behind remembered heads."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from realtime.api.fastpath.runner import RESPONSE_CACHE
from realtime.config.settings_diff import SettingsDiff
from realtime.store.store import Store
from tests.api.attacks import ALPHA, ATTACKS, MINE, Attack
from tests.api.guarded import Guarded, Raw, get, guarded, read_answer, token
from tests.api.reader import Clock

GOOD = get(MINE, ALPHA)
SECRETS = (b"equity", b"buying_power", b"avg_entry_price", b"account_number")
"""Words that only answers about accounts hold."""


@pytest.fixture
async def server(store: Store, clock: Clock) -> AsyncIterator[Guarded]:
    async def reload() -> SettingsDiff:
        raise AssertionError("nobody may")

    async with guarded(store, clock, reload=reload) as server:
        yield server


class Stranger:
    """Somebody with a socket."""

    def __init__(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self.source = source
        self.sink = sink

    async def ask(self, raw: bytes) -> Raw:
        """Send bytes and read one answer."""
        self.sink.write(raw)
        async with asyncio.timeout(30):
            return await read_answer(self.source)


async def stranger(server: Guarded) -> Stranger:
    return Stranger(*await asyncio.open_connection("127.0.0.1", server.port))


def told(answer: Raw) -> tuple[int, str | None]:
    assert answer.status < 400 or not any(word in answer.body for word in SECRETS)
    return answer.status, answer.code


def test_there_are_enough_and_no_two_are_the_same() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) > 40
    assert len({attack.raw for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_gets_its_answer(server: Guarded, attack: Attack) -> None:
    with capture_logs() as logged:
        for remembered in (0, 0, 3):
            mallory = await stranger(server)
            for _ in range(remembered):
                assert (await mallory.ask(GOOD)).status == 200
            assert told(await mallory.ask(attack.raw)) == attack.expected
            mallory.sink.close()
        assert server.app[RESPONSE_CACHE].hits == 2
        ann = await stranger(server)
        assert (await ann.ask(GOOD)).status == 200, "whoever may is still served"
        ann.sink.close()
    lines = [line for line in logged if line["event"] != "auth.rejected"]
    assert [line for line in lines if line["log_level"] in ("warning", "error")] == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_in_one_piece_with_a_good_request(server: Guarded, attack: Attack) -> None:
    """Nothing is lent from one to the other; nothing behind is answered in its place."""
    mallory = await stranger(server)
    assert (await mallory.ask(GOOD)).status == 200
    assert (await mallory.ask(GOOD)).status == 200
    answer = await mallory.ask(GOOD + attack.raw)
    if answer.status == 200:  # else the parser could make nothing of the whole piece
        assert b'"alpha"' in answer.body
        async with asyncio.timeout(30):
            answer = await read_answer(mallory.source)
    assert told(answer) == attack.expected
    mallory.sink.close()


async def test_a_head_that_differs_in_one_letter_is_another(server: Guarded) -> None:
    """Every single byte of a remembered head, changed: never the remembered answer by mistake."""
    foreign = get("/realtime/dashboard/bravo", ALPHA)
    for _ in range(3):
        assert (await server.exchange(GOOD))[0].status == 200
    assert (await server.exchange(foreign, 2))[1].code == "unknown_account"
    at = GOOD.index(b"Bearer ") + 7
    for position in (*range(0, at, 3), at, at + 40, len(GOOD) - 8):
        changed = bytearray(GOOD)
        changed[position] ^= 0x01
        mallory = await stranger(server)
        try:
            answer = await mallory.ask(bytes(changed) + b"\r\n\r\n")
        except (asyncio.IncompleteReadError, TimeoutError):
            continue
        finally:
            mallory.sink.close()
        assert answer.status != 200 or b'"alpha"' in answer.body
        if position >= at:
            assert answer.status == 401


async def test_a_remembered_head_ends_with_the_permission(server: Guarded, clock: Clock) -> None:
    """By time and by a change of the keys, on a connection that has been open all along."""
    soon = get(MINE, token(account_id="alpha", user_id="soon"))
    ann = await stranger(server)
    assert [(await ann.ask(soon)).status for _ in range(3)] == [200] * 3
    clock.now += 601
    assert (await ann.ask(soon)).code == "token_expired"
    ann.sink.close()


async def test_a_body_that_breaks_off_is_no_fault_of_ours(server: Guarded) -> None:
    head = get("/session", ALPHA, "Content-Length: 100", method="POST")
    with capture_logs() as logged:
        mallory = await stranger(server)
        mallory.sink.write(head + b"half")
        await mallory.sink.drain()
        await asyncio.sleep(0)
        mallory.sink.close()
        await mallory.sink.wait_closed()
        for _ in range(3):
            await server.exchange(GOOD)
    assert "server.failed" not in {line["event"] for line in logged}
