from tests.server.reader import Reader


async def test_readers_are_given_the_brokers_shape(reader: Reader) -> None:
    reply = await reader.get("/realtime/history/alpha?points=2")
    assert list(reply.json) == [
        "timestamp", "equity", "profit_loss", "profit_loss_pct", "base_value", "timeframe",
    ]  # fmt: skip
    (await reader.get("/realtime/history/alpha?points=1")).problem(400, "bad_parameter")
    (await reader.get("/realtime/history/alhpa")).problem(404, "unknown_account")
    assert (await reader.get("/realtime/history/_all")).status == 200
