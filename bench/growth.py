"""How cost grows: with accounts, orders and clients."""

from msgspec import Struct

from bench.children import free_port, module
from bench.events import Drip, drip
from bench.load import Load, flood
from bench.query_servers import PATH
from bench.starting import Memory, memory

READERS = (1, 32, 256, 1000)


class Growth(Struct):
    """One table for each quantity that grows."""

    accounts: list[Memory]
    orders: list[Memory]
    readers: dict[int, Load]
    events: list[Drip]


def measure(seconds: float, *, accounts: tuple[int, ...], rates: tuple[int, ...]) -> Growth:
    """All of it. Takes minutes with 5000 accounts."""
    return Growth(
        accounts=[memory(number, 5, 10) for number in accounts],
        orders=[memory(100, 10, number) for number in (10, 100, 500)],
        readers=_readers(seconds),
        events=[drip(1000, rate, seconds) for rate in rates],
    )


def _readers(seconds: float) -> dict[int, Load]:
    port = free_port()
    with module("query_servers", "realtime", "--port", str(port)) as child:
        child.read_line()
        return {n: flood(port, PATH, connections=n, seconds=seconds) for n in READERS}
