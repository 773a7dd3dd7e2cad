"""Where a command finds its daemon: `--url`, `REALTIME_URL`, the configuration, the default.

A daemon reads its port from `accounts.toml`, so a command that reads the same file must reach the
same daemon: a kill switch that reaches another port stops nothing.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from realtime.errors import ConfigError, RealtimeError

DEFAULT_URL = "http://127.0.0.1:8090"


class DaemonAddress(Struct, frozen=True):
    """A URL without a slash at its end, and what it was taken from."""

    url: str
    source: str

    @property
    def parts(self) -> SplitResult:
        """The URL, parsed."""
        return urlsplit(self.url)


def find_daemon(url: str | None, config: Path | None, environ: Mapping[str, str]) -> DaemonAddress:
    """Return the daemon's address. Raises `ConfigError`."""
    if url:
        return _checked(url, "--url")
    if environ.get("REALTIME_URL"):
        return _checked(environ["REALTIME_URL"], "REALTIME_URL")
    return _from_config(config, environ) or DaemonAddress(DEFAULT_URL, "the default")


def _from_config(config: Path | None, environ: Mapping[str, str]) -> DaemonAddress | None:
    from realtime.config.loader import DEFAULT_PATH, load_server  # noqa: PLC0415 - only if needed

    named = config or (Path(value) if (value := environ.get("REALTIME_CONFIG")) else None)
    path = named or DEFAULT_PATH
    if named is None and not path.exists():
        return None
    try:
        server = load_server(path, environ=environ)
    except RealtimeError as error:
        remedy = f"{error.remedy}; or name the daemon: --url {DEFAULT_URL}".removeprefix("; or ")
        raise ConfigError(error.message, remedy=remedy) from error
    return DaemonAddress(f"http://{_reachable(server.host)}:{server.port}", f"[server] of {path}")


def _reachable(host: str) -> str:
    """Return the host part of a URL by which this machine reaches a listener."""
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if ip.is_unspecified:  # it listens on all addresses
        return "127.0.0.1" if ip.version == 4 else "[::1]"
    return str(ip) if ip.version == 4 else f"[{ip}]"


def _checked(url: str, source: str) -> DaemonAddress:
    wrong = ConfigError(f"{source}: expected an address such as {DEFAULT_URL}, got {url[:80]!r}")
    url = url.rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise wrong from error
    if not usable or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise wrong
    if parts.username is not None or " " in url:
        raise wrong
    return DaemonAddress(url, source)
