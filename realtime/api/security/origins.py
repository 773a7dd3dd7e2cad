"""Names by which clients may address this daemon, and origins whose pages may act.

Two attacks use the browser of a person who can reach the daemon. *DNS rebinding*: a page's own
name is made to resolve to 127.0.0.1, so that the browser takes the daemon for the page's server;
the name in `Host` reveals it. *Cross-site requests*: any page may send a form or a beacon anywhere;
`Origin` names the page.
"""

import ipaddress
from collections.abc import Collection

from aiohttp.web_request import BaseRequest
from msgspec import Struct

from realtime.api.problems import Problem, quote

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


class AllowedNames(Struct, frozen=True, kw_only=True):
    """`hosts`: names of this daemon besides addresses and `localhost`; None: any. `origins`: whose
    pages may change something."""

    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()


def check_request_names(request: BaseRequest, names: AllowedNames) -> None:
    """Raise the problems `wrong_host` and `cross_origin`."""
    if names.hosts is not None:
        _check_host(request.headers.getall("Host", []), names.hosts)
    if request.method not in SAFE_METHODS:
        check_origin(request, names.origins)


def _check_host(values: Collection[str], hosts: frozenset[str]) -> None:
    if len(values) != 1:
        # HTTP/1.0 has no Host, and no browser uses HTTP/1.0: there is no page to defend against.
        if values:
            raise Problem("wrong_host", "the header Host is repeated")
        return
    name = parse_host_name(next(iter(values)))
    if name != "localhost" and not _is_address(name) and name not in hosts:
        raise Problem("wrong_host", f"this daemon is not named '{quote(name)}'")


def check_origin(request: BaseRequest, origins: frozenset[str]) -> None:
    """Raise the problem `cross_origin` for a request from a page of another origin."""
    origin = request.headers.get("Origin")
    if origin is None:
        if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site"):
            raise Problem("cross_origin", "the request comes from a page of another origin")
        return
    host = request.headers.get("Host", "").lower()
    if origin.lower() not in origins and origin.lower().partition("://")[2] != host:
        raise Problem("cross_origin", f"the request comes from a page of '{quote(origin)}'")


def parse_host_name(host: str) -> str:
    """Return the name in a Host header, without its port and in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
