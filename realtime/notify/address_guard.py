"""Connections to public addresses only, decided at the connect itself.

A name is looked up once, and the address that was checked is the one that is connected to: a name
whose answer changes between check and use (DNS rebinding) gains nothing. Hosts that the file
names with `allow_host` may be anywhere.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

MAX_LOOKUPS = 4
"""Threads for DNS, not those of the event loop: a resolver that hangs must not block others."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: the last four bytes are an IPv4 address."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressNotAllowed(OSError):
    """The host is on this machine or a private network, and the file does not allow it."""


def is_public(text: str) -> bool:
    """Whether an address is on the public internet, whatever it is wrapped in."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            inner = address.teredo[1]
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def is_own(text: str, family: int) -> bool:
    """Whether an address is one of this machine's: then the kernel would send from that address.

    Connecting a datagram socket sends nothing.
    """
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((text.partition("%")[0], 9))
            return bool(probe.getsockname()[0] == text)
    except OSError:
        return False  # no route: the connect will fail as well


def check_address(text: str, family: int) -> None:
    """Raise `AddressNotAllowed` for an address of this machine or of a private network."""
    if not is_public(text) or is_own(text, family):
        raise AddressNotAllowed(f"{text} is on this machine or a private network")


class Resolver(AbstractResolver):
    """Looks names up in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="webhook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a name. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(
            self._threads,
            lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM),
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in answers
        ]

    async def close(self) -> None:
        """End the threads that are idle; one that hangs ends with its lookup."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def make_connector(is_guarded: bool) -> aiohttp.BaseConnector:
    """Connections for one webhook; `is_guarded`: to public addresses only."""
    return aiohttp.TCPConnector(
        limit=0,
        resolver=Resolver(),
        use_dns_cache=False,
        keepalive_timeout=15.0,
        socket_factory=_make_guarded_socket if is_guarded else None,
    )


def _make_guarded_socket(info: Any) -> socket.socket:  # Any: aiohttp's tuple of getaddrinfo
    family, kind, proto, _, address = info
    check_address(str(address[0]), family)
    return socket.socket(family, kind, proto)


MakeConnector = Callable[[bool], aiohttp.BaseConnector]
"""Takes whether only public addresses are allowed."""
