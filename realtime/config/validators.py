"""Which values are allowed: one function per kind returns the value or raises `InvalidValue`.

Bounds are wide enough for any reasonable use and narrow enough to catch a typing mistake.
"""

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import SplitResult, urlsplit

from realtime.config.problems import InvalidValue, shown

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_TEXT = 200
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_ACCOUNT_NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./-]{0,31}")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SIZE = re.compile(r"([0-9]{1,6}) ?(MB|GB|TB)", re.IGNORECASE)
_SIZE_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_VISIBLE_ASCII = re.compile(r"[!-~]+")


def text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"expected text in quotes, got {shown(value)}")
    if not value or len(value) > MAX_TEXT or not value.isprintable():
        raise InvalidValue(f"expected 1–{MAX_TEXT} printable characters, got {shown(value)}")
    return value


def label(value: object) -> str:
    """Check the label of an account, or of a key."""
    if not isinstance(value, str) or not LABEL.fullmatch(value):
        raise InvalidValue(f"expected a label such as alpha, got {shown(value)}")
    return value


def one_of(*words: str) -> Callable[[object], str]:
    """Return the check of a word of a list."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise InvalidValue(f"expected {', '.join(words)}, got {shown(value)}")
        return value

    return check


def some_of(*words: str) -> Callable[[object], tuple[str, ...]]:
    """Return the check of a list of words, each once."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(v in words for v in value):
            raise InvalidValue(f"expected a list of {', '.join(words)}, got {shown(value)}")
        return tuple(dict.fromkeys(value))

    return check


def symbols(value: object) -> tuple[str, ...]:
    """Check symbols as orders contain them: `AAPL`, `BTC/USD`, or the underlying of options."""
    if not isinstance(value, list) or not value:
        raise InvalidValue(f"expected a list of symbols, got {shown(value)}")
    for item in value:
        if not isinstance(item, str) or not _SYMBOL.fullmatch(item):
            raise InvalidValue(f"expected symbols such as AAPL or BTC/USD, got {shown(item)}")
    return tuple(value)


def table(value: object) -> dict[str, object]:
    """Check that it is a table; the caller reads its values."""
    if not isinstance(value, dict):
        raise InvalidValue(f"expected a table, got {shown(value)}")
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidValue(f"expected true or false, got {shown(value)}")
    return value


def size(value: object) -> int:
    """Give the bytes of a size such as `20 GB` (10⁹) or `512 MB`."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue(f'expected a size such as "20 GB" or "512 MB", got {shown(value)}')
    return int(match[1]) * _SIZE_UNITS[match[2].upper()]


def database_url(value: object) -> str:
    """Check the address of a PostgreSQL database: without a password, which would be in a file that
    is often copied."""
    expected = "expected postgresql://user@host/database"
    if not isinstance(value, str) or not value.isprintable():
        raise InvalidValue(expected)
    try:
        parts = urlsplit(value)
    except ValueError:
        raise InvalidValue(expected) from None
    if parts.password is not None or "password=" in parts.query:
        raise InvalidValue(f"{expected} without a password: put it into ~/.pgpass, or PGPASSWORD")
    if parts.scheme not in ("postgresql", "postgres"):
        raise InvalidValue(expected)
    return value


def identifier(value: object) -> str:
    """Check a name in a database."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise InvalidValue(f"expected a name such as realtime, got {shown(value)}")
    return value


def whole(low: int, high: int) -> Callable[[object], int]:
    """Return the check of a whole number between two bounds, inclusive."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidValue(f"expected {low}–{high}, got {shown(value)}")
        return value

    return check


port = whole(1, 65535)


def money(value: object) -> str:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or Decimal(value) == 0:
        raise InvalidValue(f'expected a decimal in quotes such as "100000", got {shown(value)}')
    return value


def percentage(value: object) -> str:
    """Return a share in per cent as a decimal string; a number is taken as well."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise InvalidValue(f'expected per cent such as "12.5", got {shown(value)}')
    if not 0 < Decimal(text) <= 10_000:
        raise InvalidValue(f"expected more than 0 and at most 10000 per cent, got {shown(value)}")
    return text


def account_number(value: object) -> str:
    if not isinstance(value, str) or not _ACCOUNT_NUMBER.fullmatch(value):
        raise InvalidValue(f"expected the broker's account number in quotes, got {shown(value)}")
    return value


def trading_url(value: object) -> str:
    """Return the address without a slash at its end. Plain http is for this machine only."""
    parts = _address(value)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise InvalidValue(
            "plain http would send the keys in clear across the network",
            "use https; http is for a simulator or proxy on this machine",
        )
    if parts.path.rstrip("/").endswith("/v2"):
        raise InvalidValue("ends in /v2", "leave /v2 out: it is added where it belongs")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def stream_url(value: object) -> str:
    """Return the address of a websocket without a slash at its end, by the same rules."""
    if not isinstance(value, str) or not value.startswith(("ws://", "wss://")):
        raise InvalidValue(f'expected an address such as "wss://host:port", got {shown(value)}')
    return "ws" + trading_url("http" + value.removeprefix("ws")).removeprefix("http")


def redis_url(value: object) -> str:
    """Return the address of a Redis server. The message never contains its password."""
    expected = 'expected an address such as "redis://127.0.0.1:6379/0"'
    if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
        raise InvalidValue(expected)
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
    except ValueError:
        raise InvalidValue(expected) from None
    if not is_valid or not (
        parts.path if parts.scheme == "unix" else _is_host(parts.hostname or "")
    ):
        raise InvalidValue(expected)
    return value


def address(value: object) -> tuple[str, int]:
    """Return the host and the port of an address such as `127.0.0.1:8095` or `[::1]:8095`."""
    host, _, digits = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bare = bare_host(host)
    is_port = digits.isascii() and digits.isdigit() and len(digits) <= 5
    is_valid = _is_host(bare) and (":" not in bare or bare != host)
    if not is_valid or not is_port or not 1 <= int(digits) <= 65535:
        raise InvalidValue(f'expected an address such as "127.0.0.1:8095", got {shown(value)}')
    return bare, int(digits)


def owner_urls(value: object) -> tuple[str, ...]:
    """Return addresses of daemons to follow, each once; one address, or a list of them."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise InvalidValue(f"expected a list of addresses, got {shown(value)}")
    return tuple(dict.fromkeys(client_url(item) for item in items))


def client_url(value: object) -> str:
    """Return the address of a daemon without a slash at its end."""
    parts = _address(value)
    if parts.path not in ("", "/"):
        raise InvalidValue(f"expected an address without a path, got {shown(value)}")
    return f"{parts.scheme}://{parts.netloc}"


def jwks_url(value: object) -> str:
    """Return the address of a key set. Over plain http another program could replace the keys."""
    if isinstance(value, str) and "?" in value:
        raise InvalidValue("the address has a query", "remove the query")
    parts = _address(value)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise InvalidValue("keys over plain http could be replaced in transit", "use https")
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def host_names(value: object) -> tuple[str, ...]:
    """Return names by which clients may call the daemon: hosts or addresses, without a port."""
    if not isinstance(value, list):
        raise InvalidValue(f"expected a list of names, got {shown(value)}")
    for item in value:
        if not isinstance(item, str) or not _is_host(item):
            raise InvalidValue(f'expected a name such as "board.example", got {shown(item)}')
    return tuple(item.lower() for item in value)


def allowed_hosts(value: object) -> tuple[str, ...]:
    """Return hosts that may receive keys: one name, or a list of names, without a port."""
    return host_names([value] if isinstance(value, str) else value)


def origins(value: object) -> tuple[str, ...]:
    """Return web origins. `*` is refused: any page in a browser could read the accounts."""
    if not isinstance(value, list):
        raise InvalidValue(f"expected a list of origins, got {shown(value)}")
    return tuple(_origin(item) for item in value)


def _origin(value: object) -> str:
    if value == "*":
        raise InvalidValue(
            '"*" would let every web page read the accounts',
            'name the pages, such as "https://board.example"',
        )
    parts = _address(value)
    if parts.path not in ("", "/"):
        raise InvalidValue(f"an origin has no path, got {shown(value)}")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _address(value: object) -> SplitResult:
    expected = 'expected an address such as "https://host:port"'
    if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
        raise InvalidValue(f"{expected}, got {shown(value)}")
    if "@" in value:
        raise InvalidValue("the address contains a name or password", "keys go into secrets.toml")
    try:
        parts = urlsplit(value)
        valid_port = parts.port is None or 1 <= parts.port <= 65535
        host = parts.hostname or ""
    except ValueError as error:
        raise InvalidValue(f"{expected}, got {shown(value)}") from error
    if parts.scheme not in ("http", "https") or not valid_port or not _is_host(host):
        raise InvalidValue(f"{expected}, got {shown(value)}")
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise InvalidValue(f"{expected} and nothing after it, got {shown(value)}")
    return parts


def _is_host(host: str) -> bool:
    return bool(_HOST_NAME.fullmatch(host)) or _as_ip(host) is not None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; an IPv6 address may be in brackets."""
    ip = _as_ip(bare_host(host))
    if ip is None:
        return host.lower() == "localhost"
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def bare_host(host: str) -> str:
    """Return an IPv6 address without the brackets that it has in URLs; any other host as it is."""
    is_bracketed = host.startswith("[") and host.endswith("]")
    return host[1:-1] if is_bracketed and _as_ip(host[1:-1]) is not None else host


def _as_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def key(value: object) -> str:
    """Return a key as pasted. The message never contains it, whatever is wrong with it."""
    if not isinstance(value, str):
        raise InvalidValue("expected text in quotes")
    if not value:
        raise InvalidValue("is empty", "paste the broker's, or remove the line")
    if any(letter.isspace() for letter in value):
        raise InvalidValue("contains white space", "paste it again, without spaces or line breaks")
    if not _VISIBLE_ASCII.fullmatch(value) or len(value) > MAX_TEXT:
        raise InvalidValue("is not a key of the broker", "paste it again")
    return value
