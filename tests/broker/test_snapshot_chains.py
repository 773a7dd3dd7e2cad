"""Snapshots read what other orders name: chains of replacements, and those that never were."""

from aiohttp import web

from realtime.broker.snapshot import MAX_SUCCESSORS, fetch_orders_by_id, fetch_snapshot
from realtime.core.model import OrderId
from realtime.core.order_versions import flatten
from realtime.core.outcomes import Snapshot
from realtime.core.state import EMPTY, AccountState
from tests.broker.brokers import rest_client
from tests.broker.samples import ACCOUNT, order

Document = dict[str, object]


class Broker:
    """Responds from a set of orders; legs are nested where the request asks for it."""

    def __init__(self, orders: list[Document], *, listed: list[Document] | None = None) -> None:
        self.by_id = {str(o["id"]): o for o in orders}
        self.nested = orders if listed is None else listed
        self.flat: list[Document] = []
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        """One response."""
        self.paths.append(request.path)
        if request.path == "/v2/account":
            return web.json_response(ACCOUNT)
        if request.path == "/v2/orders":
            nested = request.query["nested"] == "true"
            return web.json_response(self.nested if nested else self.flat)
        if request.path.startswith("/v2/orders/"):
            found = self.by_id.get(request.path.rpartition("/")[2])
            refusal = {"code": 40410000, "message": "order not found"}
            return web.json_response(found or refusal, status=200 if found else 404)
        return web.json_response([])

    async def read_by_id(self, order_id: str, state: AccountState = EMPTY) -> Snapshot:
        """Read an order by id."""
        async with rest_client(self.answer) as rest:
            return await fetch_orders_by_id(rest, [OrderId(order_id)], state, now=0.0)

    async def read(self, state: AccountState = EMPTY) -> Snapshot:
        """Read everything."""
        async with rest_client(self.answer) as rest:
            return await fetch_snapshot(rest, state, now=0.0)


def chain(length: int) -> list[Document]:
    """Orders `o0`, `o1`, …, each replaced by the next."""
    last = length - 1
    return [
        order(
            id=f"o{n}",
            status="new" if n == last else "replaced",
            replaced_by=None if n == last else f"o{n + 1}",
            replaces=None if n == 0 else f"o{n - 1}",
        )
        for n in range(length)
    ]


def ids(snapshot: Snapshot) -> set[str]:
    return {str(o.id) for top in snapshot.orders or () for o, _ in flatten(top)}


async def test_a_chain_of_replacements_is_read_to_its_end_by_one_read_by_id() -> None:
    """Also when the order that is asked for was replaced several times."""
    read = await Broker(chain(5)).read_by_id("o0")
    assert ids(read) == {"o0", "o1", "o2", "o3", "o4"}


async def test_a_chain_that_begins_in_a_lagging_list_is_read_to_its_end() -> None:
    orders = chain(4)
    read = await Broker(orders, listed=orders[:1]).read()
    assert ids(read) == {"o0", "o1", "o2", "o3"}


async def test_a_chain_ends_at_a_known_order_and_at_one_that_the_broker_does_not_know() -> None:
    orders = chain(4)
    broker = Broker(orders[:2])
    read = await broker.read_by_id("o0")
    assert ids(read) == {"o0", "o1"}
    assert read.not_found == (), "nothing is dropped because of it"
    assert broker.paths == ["/v2/orders/o0", "/v2/orders/o1", "/v2/orders/o2"]


async def test_a_chain_of_a_leg_is_read() -> None:
    """A parent read by id shows only its present leg, which may have been replaced since."""
    leg = order(id="leg", status="replaced", replaced_by="next")
    parent = order(id="parent", order_class="bracket", legs=[leg])
    read = await Broker([parent, order(id="next", replaces="leg")]).read_by_id("parent")
    assert ids(read) == {"parent", "leg", "next"}


async def test_an_endless_chain_is_bounded() -> None:
    read = await Broker(chain(MAX_SUCCESSORS + 20)).read_by_id("o0")
    assert len(ids(read)) == MAX_SUCCESSORS + 1


async def test_a_replacement_that_never_took_effect_is_put_beside_its_leg() -> None:
    """A nested list shows only what took effect; a flat one shows it as well."""
    leg = order(id="leg", status="canceled")
    parent = order(id="parent", order_class="bracket", status="canceled", legs=[leg])
    broker = Broker([parent])
    broker.flat = [leg, order(id="never", status="canceled", replaces="leg")]
    read = await broker.read()
    assert [(o.id, p) for top in read.orders or () for o, p in flatten(top)] == [
        ("parent", None),
        ("leg", "parent"),
        ("never", "parent"),
    ]


async def test_a_flat_list_is_read_only_where_orders_have_legs() -> None:
    broker = Broker([order(id="alone")])
    await broker.read()
    assert broker.paths.count("/v2/orders") == 1
