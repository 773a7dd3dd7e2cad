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

DEFAULT_PORTS = {"http": ":80", "https": ":443"}
"""Left out of an `Origin`, and perhaps not of a `Host`."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


class AllowedNames(Struct, frozen=True, kw_only=True):
    """`hosts`: names of this daemon besides addresses and `localhost`; None: any. `origins`: whose
    pages may change something."""

    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()


def check_request_names(request: BaseRequest, names: AllowedNames) -> None:
    """Raise the problems `wrong_host` and `cross_origin`."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) > 1 or len(request.headers.getall("Origin", [])) > 1:
        # Programs on the way may each take another one for the true one (RFC 9112 section 3.2).
        raise Problem("malformed_request", "the header Host or Origin is repeated")
    _check_authority(request, hosts)
    if names.hosts is not None:
        _check_host(hosts, names.hosts)
    if request.method not in SAFE_METHODS:
        check_origin(request, names.origins)


def _check_authority(request: BaseRequest, hosts: Collection[str]) -> None:
    """A target in absolute form (`GET http://name/`) must name the same host (RFC 9112 3.2.2)."""
    target = request.raw_path
    if "://" in target and not target.startswith("/"):
        authority = target.partition("://")[2].partition("/")[0].partition("?")[0]
        if [authority.lower()] != [host.lower() for host in hosts]:
            raise Problem("malformed_request", "the request target and Host name different hosts")


def _check_host(values: Collection[str], hosts: frozenset[str]) -> None:
    if not values:
        # HTTP/1.0 has no Host, and no browser uses HTTP/1.0: there is no page to defend against.
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
    if origin.lower() not in origins and not _is_own_origin(request, origin.lower()):
        raise Problem("cross_origin", f"the request comes from a page of '{quote(origin)}'")


def _is_own_origin(request: BaseRequest, origin: str) -> bool:
    """Whether an origin is this server's. The scheme is compared if a proxy reports it: a page of
    `http://name` must not act on `https://name`."""
    scheme, _, host = origin.partition("://")
    reported = request.headers.get("X-Forwarded-Proto")
    if scheme not in DEFAULT_PORTS:
        return False
    if reported is not None and scheme != reported.partition(",")[0].strip().lower():
        return False
    own = request.headers.get("Host", "").lower()
    return host == own.removesuffix(DEFAULT_PORTS[scheme])


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
