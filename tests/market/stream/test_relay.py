"""What clients get: bytes as they came, in order, conflated only where a client does not read."""

import random

import msgspec
import pytest

from realtime.broker.market_codec import Element, make_element
from realtime.market.stream.channels import Pairs
from realtime.market.stream.client import MAX_UNSENT_BYTES, StreamClient
from realtime.market.stream.client_queue import MAX_BYTES, ClientQueue
from realtime.market.stream.formats import Codec, encode_elements, encode_message, frame
from realtime.market.stream.relay import Relay
from realtime.simulator.market.elements import Element as Sent
from realtime.simulator.market.elements import encode_frame
from tests.broker.test_market_codec import BOOK, NEWS, NS, TRADE, elements_of
from tests.market.stream.made import TIME, FakePort, element, split_frames

KINDS = ("t", "q", "b", "u", "d", "s", "l", "i", "o", "n", "c", "x")
CHANNELS = (
    "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances",
    "orderbooks", "news",
)  # fmt: skip


def pairs(*found: tuple[str, str]) -> Pairs:
    return frozenset(found)


def connect(
    relay: Relay, subscriptions: Pairs, codec: Codec = "msgpack", *, reads: bool = True
) -> tuple[StreamClient, FakePort]:
    port = FakePort(reads=reads)
    client = StreamClient(port, codec)
    relay.set_subscriptions(client, subscriptions)
    return client, port


def send(relay: Relay, *elements: Element) -> None:
    relay.route(list(elements))
    relay.flush()


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_elements_of_all_kinds_pass_byte_for_byte(codec: Codec) -> None:
    """100 000 elements: what a client gets is what the broker sent, in its order."""
    rng = random.Random(7)
    relay = Relay()
    everything = pairs(*((channel, "*") for channel in CHANNELS))
    _, port = connect(relay, everything, codec)
    sent: list[bytes] = []
    received: list[bytes] = []
    for _ in range(1000):
        batch = [
            Sent({**rng.choice((TRADE, BOOK, NEWS)), "T": rng.choice(KINDS), "t": NS + n})
            for n in range(100)
        ]
        sent.append(encode_frame(batch, msgpack=codec == "msgpack"))
        send(relay, *elements_of(encode_frame(batch, msgpack=True)))
        received += split_frames(b"".join(port.frames))
        port.frames.clear()
    assert received == sent


def test_a_client_gets_what_it_subscribed_and_nothing_else() -> None:
    relay = Relay()
    _, named = connect(relay, pairs(("trades", "AAPL"), ("bars", "*")))
    _, quotes = connect(relay, pairs(("quotes", "*")), "json")
    send(
        relay,
        element("t"),
        element("t", "KO"),
        element("q", "KO"),
        element("b", "KO"),
        element("c"),
        element("x", "KO"),
    )
    assert [(m["T"], m["S"]) for m in named.messages()] == [
        ("t", "AAPL"), ("b", "KO"), ("c", "AAPL"),
    ]  # fmt: skip
    assert [(m["T"], m["S"]) for m in quotes.messages("json")] == [("q", "KO")]


def test_equal_clients_are_encoded_for_once() -> None:
    relay = Relay()
    ports = [connect(relay, pairs(("trades", "AAPL")))[1] for _ in range(3)]
    send(relay, element("t"))
    first, *others = [port.frames[0] for port in ports]
    assert all(frames is first for frames in others)


def test_a_change_of_subscriptions_takes_effect_at_once() -> None:
    relay = Relay()
    client, port = connect(relay, pairs(("trades", "AAPL")))
    send(relay, element("t"))
    relay.set_subscriptions(client, pairs(("trades", "KO")))
    send(relay, element("t"), element("t", "KO"))
    assert [m["S"] for m in port.messages()] == ["AAPL", "KO"]
    relay.remove(client)
    send(relay, element("t", "KO"))
    assert port.frames == []


def test_a_client_that_does_not_read_gets_only_the_newest_quote() -> None:
    relay = Relay()
    client, port = connect(relay, pairs(("quotes", "*"), ("trades", "*")), reads=False)
    port.unsent = MAX_UNSENT_BYTES
    for number in range(50):
        send(relay, element("q", "AAPL", bp=number), element("q", "KO", bp=number))
        send(relay, element("t", i=number))
    assert port.frames == []
    assert port.is_woken
    port.unsent, port.reads = 0, True
    assert client.flush()
    received = port.messages()
    assert [m["i"] for m in received if m["T"] == "t"] == list(range(50)), "no trade is lost"
    assert [(m["S"], m["bp"]) for m in received if m["T"] == "q"] == [("AAPL", 49), ("KO", 49)]
    assert client.queue.conflated == 98


def test_a_client_whose_queue_is_full_is_refused_and_others_are_not() -> None:
    relay = Relay()
    _, slow = connect(relay, pairs(("trades", "*")), reads=False)
    _, good = connect(relay, pairs(("trades", "*")))
    slow.unsent = MAX_UNSENT_BYTES
    sent = 0
    while not slow.refusals:
        send(relay, *[element("t", text="x" * 1000) for _ in range(100)])
        sent += 100
    assert slow.refusals == [407]
    assert sent * 1000 < 2 * MAX_BYTES, "memory is bounded"
    assert len(good.messages()) == sent
    send(relay, element("t"))
    assert slow.refusals == [407], "once"


def test_a_queue_is_popped_in_pieces_in_order() -> None:
    queue = ClientQueue()
    queue.add([element("t", i=number) for number in range(10)])
    queue.add([element("q", "A", bp=1), element("t", i=10), element("q", "A", bp=2)])
    popped = [queue.pop(100) for _ in range(20)]
    assert [e.fields().get("i", "q") for part in popped for e in part] == [*range(11), "q"]
    assert (len(queue), queue.bytes) == (0, 0)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_any_length_are_framed(size: int) -> None:
    payload = b"x" * size
    assert split_frames(frame(payload, is_text=True)) == [payload]


def test_a_resumable_client_gets_the_number_of_its_last_element() -> None:
    trade = element("t")
    trade.seq = 17
    (payload,) = split_frames(encode_elements([trade], "json", has_seq=True))
    assert msgspec.json.decode(payload)[-1] == {"T": "seq", "seq": 17}
    (payload,) = split_frames(encode_elements([trade], "msgpack", has_seq=True))
    assert msgspec.msgpack.decode(payload)[-1] == {"T": "seq", "seq": 17}


def test_the_small_protocol_is_flat() -> None:
    quote = make_element({"T": "q", "S": "AAPL", "t": TIME, "bp": 1.5, "bs": 2, "ap": 1.6, "as": 3})
    quote.seq = 9
    (payload,) = split_frames(encode_elements([quote], "flat"))
    assert msgspec.json.decode(payload) == {
        "type": "quote", "symbol": "AAPL", "timestamp": "2026-10-06T14:02:13.102334451Z",
        "bid_price": 1.5, "bid_size": 2, "ask_price": 1.6, "ask_size": 3, "seq": 9,
    }  # fmt: skip


def test_control_messages_are_alone_in_their_frame() -> None:
    (payload,) = split_frames(encode_message({"T": "success"}, "json"))
    assert payload == b'[{"T":"success"}]'
