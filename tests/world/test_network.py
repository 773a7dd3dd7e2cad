"""What connections over the world's network suffer."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from tests.world.loop import WorldLoop, run
from tests.world.network import Connection, Network

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Network, Connection], Awaitable[None]]


def over(talk: Talk) -> None:
    """Connect to an echo over the network and talk."""

    writers: list[asyncio.StreamWriter] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def main(loop: WorldLoop) -> None:
        network = loop.network = Network(["alpha"], Random(1))
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(network.host("alpha"), port)
        async with asyncio.timeout(600):
            await talk(reader, writer, network, network.open()[0])
        for each in (writer, *writers):
            each.transport.abort()  # an end in a hole is never told that the other has gone
        server.close()
        await asyncio.sleep(1)

    run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_what_is_written_arrives_after_its_time() -> None:
    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, net: Network, _: Connection
    ) -> None:
        net.paths["alpha", "stream"].usual_s = 0.25
        began = now()
        writer.write(b"there and back")
        assert await reader.readexactly(14) == b"there and back"
        assert 0.5 <= now() - began <= 1

    over(talk)


def test_a_stall_keeps_everything_and_its_order() -> None:
    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, net: Network, _: Connection
    ) -> None:
        net.paths["alpha", "stream"].stalled_until = now() + 20
        for word in (b"one ", b"two ", b"three"):
            writer.write(word)
            await asyncio.sleep(1)
        assert await reader.readexactly(13) == b"one two three"
        assert now() >= 20

    over(talk)


def test_dribbled_bytes_are_the_same_bytes() -> None:
    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, net: Network, _: Connection
    ) -> None:
        path = net.paths["alpha", "stream"]
        path.dribbling_until, path.usual_s = now() + 60, 0.01
        text = bytes(range(256)) * 4
        writer.write(text)
        assert await reader.readexactly(1024) == text

    over(talk)


def test_a_cut_is_a_reset_at_both_ends() -> None:
    async def talk(
        reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: Network, connection: Connection
    ) -> None:
        connection.cut()
        with pytest.raises(ConnectionResetError):
            await reader.read(1)

    over(talk)


def test_a_cut_after_some_bytes_lets_those_pass() -> None:
    async def talk(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        _: Network,
        connection: Connection,
    ) -> None:
        connection.down.cut_after = 5
        writer.write(b"whole message")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(6)

    over(talk)


def test_a_hole_says_nothing_ever() -> None:
    async def talk(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        _: Network,
        connection: Connection,
    ) -> None:
        connection.swallow()
        writer.write(b"anybody?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(500):
                await reader.read(1)

    over(talk)


def test_a_refusing_and_a_dark_path() -> None:
    async def talk(
        _: asyncio.StreamReader, writer: asyncio.StreamWriter, net: Network, __: Connection
    ) -> None:
        port = writer.get_extra_info("peername")[1]
        path = net.paths["alpha", "stream"]
        path.refusing_until = now() + 5
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(net.host("alpha"), port)
        path.dark_until = now() + 5
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.open_connection(net.host("alpha"), port)

    over(talk)


def test_a_closed_connection_is_not_listed() -> None:
    async def talk(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, net: Network, _: Connection
    ) -> None:
        assert len(net.open("alpha", "stream")) == 1
        writer.close()
        await writer.wait_closed()
        assert net.open() == []
        assert await reader.read() == b""

    over(talk)
