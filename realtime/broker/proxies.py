"""The proxy to the broker, by the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.

Both ways to the broker use it, REST and the stream; on loopback none is used. SOCKS is rejected,
because ignoring it would send keys past the proxy that is configured.
"""

import ipaddress
import urllib.request

from yarl import URL

from realtime.errors import ConfigError

SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}
"""Scheme of the target → variable that applies to it."""

UNKNOWN_CA = (
    "the certificate is of an unknown authority; if a proxy of yours issues it, set SSL_CERT_FILE "
    "to a file with its certificate and the usual ones"
)
"""Remedy where the broker's certificate cannot be verified."""


def find_proxy(url: str) -> str | None:
    """Return the proxy for a target, None if there is none. Raises `ConfigError` for SOCKS."""
    try:
        target = URL(url)
    except ValueError:
        return None  # the connection fails, with a reason
    proxies = urllib.request.getproxies_environment()
    proxy = proxies.get(SCHEMES.get(target.scheme, "")) or proxies.get("all")
    host = target.host
    if not proxy or host is None or is_loopback(host) or _is_bypassed(host, proxies):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        scheme = proxy.partition(":")[0]
        raise ConfigError(
            f"the proxy for {host} is of the kind {scheme}, which is not supported",
            remedy="set HTTPS_PROXY to an HTTP proxy, or name the host in NO_PROXY",
        )
    return proxy


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _is_bypassed(host: str, proxies: dict[str, str]) -> bool:
    """Whether NO_PROXY names the host, as the standard library reads it."""
    return bool(urllib.request.proxy_bypass_environment(host, proxies))  # type: ignore[attr-defined]  # typeshed lacks it
