"""Which names readers may call us by, and which pages may make a browser act.

Two attacks come through a browser of somebody who may reach us. *DNS rebinding*: a page's own name
is made to point at 127.0.0.1, so that the browser takes us for the page's server; the name in
`Host` gives it away. *Cross-site requests*: any page may send a form or a beacon anywhere; `Origin`
tells who did, and only what changes something needs to care.
"""

import ipaddress
from collections.abc import Collection

from aiohttp.web_request import BaseRequest
from msgspec import Struct

from realtime.api.problems import Problem, shown

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


class AllowedNames(Struct, frozen=True, kw_only=True):
    """`hosts`: names we answer to, beside addresses and `localhost`; None: any. `pages`: origins
    whose pages may act."""

    hosts: frozenset[str] | None = None
    pages: frozenset[str] = frozenset()


def check_names(request: BaseRequest, names: AllowedNames) -> None:
    """Raise the problems `wrong_host` and `cross_origin`."""
    if names.hosts is not None:
        _check_host(request.headers.getall("Host", []), names.hosts)
    if request.method not in SAFE:
        _check_origin(request, names.pages)


def _check_host(given: Collection[str], hosts: frozenset[str]) -> None:
    if len(given) != 1:
        # HTTP/1.0 knows no Host, and no browser speaks it: nobody to be deceived.
        if given:
            raise Problem("wrong_host", "the header Host stands twice")
        return
    name = host_name(next(iter(given)))
    if name != "localhost" and not _is_address(name) and name not in hosts:
        raise Problem("wrong_host", f"this daemon is not called '{shown(name)}'")


def _check_origin(request: BaseRequest, pages: frozenset[str]) -> None:
    origin = request.headers.get("Origin")
    if origin is None:
        if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site"):
            raise Problem("cross_origin", "a page of another origin asks")
        return
    own = request.headers.get("Host", "").lower()
    if origin.lower() not in pages and origin.lower().partition("://")[2] != own:
        raise Problem("cross_origin", f"a page of '{shown(origin)}' asks")


def host_name(host: str) -> str:
    """The name in a Host header, without its port and in small letters."""
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
