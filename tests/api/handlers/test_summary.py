from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import BOOKS, LIVE, NOW
from tests.api.reader import Reader


async def test_the_fleet_in_figures(reader: Reader) -> None:
    reply = await reader.get("/realtime/summary")
    assert reply.json["equity"] == "209562.8"
    assert (reply.json["accounts"], reply.json["unread"], reply.json["synced"]) == (4, 1, 2)


async def test_it_is_not_sent_twice(store: Store, reader: Reader) -> None:
    held = (await reader.get("/realtime/summary")).headers["ETag"]
    assert (await reader.get("/realtime/summary", If_None_Match=held)).status == 304
    store.update(AccountLabel("charlie"), now=NOW, link=LIVE, state=BOOKS)
    reply = await reader.get("/realtime/summary", If_None_Match=held)
    assert (reply.status, reply.json["unread"]) == (200, 0)
