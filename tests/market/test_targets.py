"""What market data promises, each by a test or a section of `scripts/bench`, and the last two of
them: one bad client harms no other (D5), no secret leaves (D12)."""

import logging
import random
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from realtime.api.documents.timestamps import format_millis
from realtime.broker.market_codec import Element
from realtime.market.rest.reader import ANY_FRESH, DataQuery
from realtime.market.stream.client import MAX_UNSENT_BYTES
from realtime.market.stream.client_queue import MAX_BYTES
from realtime.market.stream.relay import Relay
from realtime.market.stream.status import get_streams_status
from realtime.secret import Credentials, Secret
from realtime.simulator.faults.catalogue import parse_fault
from tests.market.stream.made import element
from tests.market.stream.scene import KEYS, Client, Scene, in_virtual_time
from tests.market.stream.test_relay import connect, pairs, send

ROOT = Path(__file__).parents[2]

TARGETS = {
    "D1 one upstream connection for any number of clients": (
        "tests/market/stream/test_upstream.py",
        "test_any_number_of_clients_is_one_connection",
    ),
    "D2 bytes and order are the broker's": (
        "tests/market/stream/test_relay.py",
        "test_elements_of_all_kinds_pass_byte_for_byte",
    ),
    "D3 unmodified clients work": ("tests/compat/test_data_streams.py", "test_stock_stream"),
    "D4 added delay: p50 at most 1 ms, p99 at most 10 ms": ("bench/market.py", "lines"),
    "D5 a bad client harms no other": (
        "tests/market/test_targets.py",
        "test_a_client_that_does_not_read_changes_nothing_for_others",
    ),
    "D6 what is missed is found, repaired and reported": (
        "tests/market/stream/test_completeness.py",
        "test_single_lost_trades_are_found_by_their_ids_and_delivered_late",
    ),
    "D7 the union is right under churn": (
        "tests/market/stream/test_churn.py",
        "test_the_union_is_the_sum_of_the_clients_and_what_the_broker_has",
    ),
    "D8 equal requests are one, and the budget keeps its floor": (
        "tests/market/rest/test_reader.py",
        "test_a_hundred_equal_requests_at_once_are_one",
    ),
    "D9 a feed is never substituted": (
        "tests/market/rest/test_reader.py",
        "test_a_feed_without_the_entitlement_is_refused_even_with_another_feed_in_the_cache",
    ),
    "D10 resume without loss, or one gap": (
        "tests/market/stream/test_resume.py",
        "test_a_client_that_returns_gets_what_it_missed",
    ),
    "D11 a reconnect is reported, and missed bars are filled": (
        "tests/market/stream/test_completeness.py",
        "test_bars_of_a_disconnect_are_filled_and_marked",
    ),
    "D12 no secret leaves": (
        "tests/market/test_targets.py",
        "test_no_line_of_the_log_and_no_response_contains_the_key",
    ),
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_test_or_a_measurement(target: str) -> None:
    file, name = TARGETS[target]
    assert f"def {name}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("seed", range(5))
def test_a_client_that_does_not_read_changes_nothing_for_others(seed: int) -> None:
    """After each frame the others have received the same bytes as without it, and what waits for
    it is bounded; then it is refused, and what it did not get is counted."""
    rng = random.Random(seed)
    everything = pairs(("trades", "*"), ("quotes", "*"))
    alone, shared = Relay(), Relay()
    _, expected = connect(alone, everything)
    _, first = connect(shared, everything)
    slow, port = connect(shared, everything, reads=False)
    _, last = connect(shared, everything)
    port.unsent = MAX_UNSENT_BYTES
    sent = dict.fromkeys("qt", 0)
    while not port.refusals:
        batch: list[Element] = []
        for _ in range(rng.randrange(1, 60)):
            kind = rng.choice("qqqt")
            sent[kind] += 1
            batch.append(element(kind, f"S{rng.randrange(40)}", text="x" * rng.randrange(3000)))
        send(alone, *batch)
        send(shared, *batch)
        for other in (first, last):
            assert other.frames == expected.frames
        assert slow.queue.bytes <= MAX_BYTES
        assert port.frames == []
    assert port.refusals == [407]
    assert first.refusals == last.refusals == []
    assert MAX_BYTES + MAX_UNSENT_BYTES <= 8 * 2**20
    assert slow.queue.conflated > sent["q"] // 2
    assert slow.queue.bytes == 0, "nothing is kept for a client that was refused"


def test_no_line_of_the_log_and_no_response_contains_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A whole session: refused feed, lost connection, another program, REST with every status."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    async def main(scene: Scene) -> None:
        streams = scene.streams
        await streams.wait_probed()
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL"], quotes=["KO"])
        await scene.until(lambda: "t" in client.kinds())
        await Client(streams.get_hub("/v2/sip")).open()
        scene.set(slot_release_s=120.0)
        scene.simulator.faults.add(parse_fault({"kind": "cut", "account": "alpha"}))
        hub = streams.get_hub("/v2/iex")
        await scene.until(lambda: hub.status.state == "occupied", within_s=30)
        shown.append(repr(get_streams_status(streams, format_millis)))
        await scene.until(lambda: hub.status.state == "connected", within_s=200)
        client.read()
        shown.append(repr(client.received))
        shown.append(msgspec.json.encode(get_streams_status(streams, format_millis)).decode())

    async def with_a_wrong_key(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL"])
        client.read()
        shown.append(repr(client.received) + repr(get_streams_status(scene.streams, format_millis)))

    wrong = Credentials(KEYS.key_id, Secret("wrong-secret-of-a-test"))
    with capture_logs() as logs:  # ours; `caplog` has those of the libraries
        in_virtual_time(main)
        in_virtual_time(with_a_wrong_key, keys=wrong)
    assert "insufficient subscription" in {log.get("reason") for log in logs}
    text = caplog.text + repr(logs) + "".join(shown)
    for secret in (KEYS.key_id, KEYS.secret_key, wrong.secret_key):
        assert secret.reveal() not in text
        assert secret.reveal() not in "".join(repr(r.__dict__) for r in caplog.records)


def test_keys_of_the_cache_do_not_contain_the_key() -> None:
    async def main(scene: Scene) -> None:
        reader = scene.streams.reader
        query = DataQuery("/v2/stocks/quotes/latest", (("symbols", "AAPL"),), "latest")
        assert (await reader.get(query, ANY_FRESH)).status == 200
        key = reader.key_of(query)
        assert KEYS.key_id.reveal() not in key
        assert KEYS.secret_key.reveal() not in key
        assert key.startswith(reader.scoped(""))

    in_virtual_time(main)
