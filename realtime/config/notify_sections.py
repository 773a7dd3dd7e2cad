"""`[[webhooks]]` and `[[notify]]`: who receives what happens, beside the clients that ask for it.

Secrets and addresses with secrets in them may be in files of their own, as those of `[auth]`. If
they are in the accounts file itself, that file must be private.
"""

import importlib.util
import ipaddress
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from realtime.auth.webhook_signature import decode_webhook_secret
from realtime.config import toml_file
from realtime.config import validators as values
from realtime.config.auth_section import find_secret_file
from realtime.config.file_permissions import check_permissions
from realtime.config.problems import InvalidValue, Problem, shown
from realtime.config.settings import AccountSettings, NotifySettings, WebhookSettings
from realtime.errors import ConfigError
from realtime.nearest import nearest
from realtime.secret import Secret

Checks = Mapping[str, Callable[[object], object]]

MAX_TARGETS = 20
"""Sections of a kind: each has its own queue."""

MAX_URL = 2_000

WEBHOOK_TYPES = ("order", "account", "positions", "link", "row", "mark", "alert")
"""Types of `/realtime/events` that a webhook can select; `gap` and `gone` are always sent."""

NOTIFY_TYPES = (
    "fill", "rejected", "risk", "out_of_sync", "halt", "closing", "alert", "broker", "digest",
)  # fmt: skip

PRIVATE_TOP_LEVELS = (".localhost", ".local", ".internal", ".home.arpa")
"""Names that are never in public DNS (RFC 6761, RFC 6762, RFC 8375, ICANN for .internal)."""

_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def _words(*known: str) -> Callable[[object], tuple[str, ...]]:
    """Return the check of a list of words, each once, with the nearest word where one is wrong."""

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise InvalidValue(f"expected a list of {', '.join(known)}, got {shown(value)}")
        for item in value:
            if item not in known:
                meant = nearest(item, known) if isinstance(item, str) else None
                remedy = f'did you mean "{meant}"?' if meant else f"known here: {', '.join(known)}"
                raise InvalidValue(f"unknown type {shown(item)}", remedy)
        return tuple(dict.fromkeys(value))

    return check


def _names(value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidValue(f"expected a name or a list of names, got {shown(value)}")
    return tuple(dict.fromkeys(names))


def _secrets(value: object) -> tuple[str, ...]:
    """Return one or two secrets. No message contains one."""
    items = value if isinstance(value, list) else [value]
    secrets = [item for item in items if isinstance(item, str)]
    if not 1 <= len(items) <= 2 or len(secrets) != len(items):
        raise InvalidValue("expected a secret in quotes, or a list of two while they are exchanged")
    for secret in secrets:
        _check_secret(secret)
    return tuple(secrets)


def _check_secret(secret: str) -> None:
    try:
        decode_webhook_secret(secret)
    except ConfigError as error:
        raise InvalidValue(error.message, error.remedy) from None


def _any_url(value: object) -> str:
    """Return an address without showing it: paths and queries of such addresses are secrets."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_URL:
        raise InvalidValue(f"expected an address in quotes of at most {MAX_URL} characters")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise InvalidValue("the address contains characters that no address has", "encode them")
    return value


def _one_host(value: object) -> str:
    (host,) = values.allowed_hosts(value) if isinstance(value, str) else ("",)
    if not host:
        raise InvalidValue(f"expected the host of `url` in quotes, got {shown(value)}")
    return host


def _quiet(value: object) -> tuple[int, int]:
    match = _QUIET.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue(f'expected times such as "22:00-07:00", got {shown(value)}')
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start == end:
        raise InvalidValue(f"start and end are the same: {shown(value)}", "remove it for none")
    return start, end


def _zone(value: object) -> str:
    name = values.text(value)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(f'expected a zone such as "Europe/Zurich", got {shown(name)}') from None
    return name


WEBHOOK: Checks = {
    "name": values.text,
    "url": _any_url,
    "url_file": values.text,
    "secret": _secrets,
    "secret_file": values.text,
    "types": _words(*WEBHOOK_TYPES),
    "accounts": _names,
    "tiers": _names,
    "allow_host": _one_host,
    "ca_file": values.text,
    "max_attempts": values.whole(1, 1000),
    "timeout_s": values.whole(1, 60),
}
NOTIFY: Checks = {
    "name": values.text,
    "url": _any_url,
    "url_file": values.text,
    "types": _words(*NOTIFY_TYPES),
    "accounts": _names,
    "tiers": _names,
    "severity": values.one_of("info", "warning", "error"),
    "min_notional": values.money,
    "out_of_sync_s": values.whole(5, 86_400),
    "interval_s": values.whole(1, 3_600),
    "quiet": _quiet,
    "zone": _zone,
}


class NotifySections(Struct, frozen=True, kw_only=True):
    """The valid values of the tables, in the order of the file; nothing else is read yet."""

    webhooks: tuple[dict[str, Any], ...] = ()  # Any: the checks determine each value's type
    notify: tuple[dict[str, Any], ...] = ()


class TargetReader:
    """Makes settings of the tables, with the files that they name; collects every problem."""

    def __init__(
        self,
        file: Path,
        environ: Mapping[str, str],
        accounts: Iterable[AccountSettings],
        tiers: Iterable[str],
    ) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._environ = environ
        self._labels = [account.label for account in accounts]
        self._tiers = sorted({*tiers, *(account.tier for account in accounts if account.tier)})
        self._names: set[str] = set()
        self._is_file_private = check_permissions(file) is None

    def read_webhooks(
        self, tables: Iterable[dict[str, Any]], *, has_history: bool
    ) -> tuple[WebhookSettings, ...]:
        """Read the receivers of events."""
        webhooks = [self._webhook(n, table) for n, table in enumerate(tables, 1)]
        if webhooks and not has_history:
            self.problems.append(
                Problem(
                    f"{self._file}: webhooks: history is off, and undelivered events are kept "
                    "in its directory",
                    "remove `enabled = false` from [history], or remove [[webhooks]]",
                )
            )
        return tuple(webhook for webhook in webhooks if webhook is not None)

    def read_notify(self, tables: Iterable[dict[str, Any]]) -> tuple[NotifySettings, ...]:
        """Read the targets of notifications."""
        targets = [self._notify(n, table) for n, table in enumerate(tables, 1)]
        if targets and importlib.util.find_spec("apprise") is None:
            self.problems.append(
                Problem(
                    f"{self._file}: notify: apprise is not installed",
                    "pip install 'alpaca-realtime[notify]'",
                )
            )
        return tuple(target for target in targets if target is not None)

    def _webhook(self, number: int, table: dict[str, Any]) -> WebhookSettings | None:
        place = f"webhooks[{number}]"
        fields = dict(table)
        self._check_accounts(place, fields)
        url = self._read_url(place, fields)
        secrets = self._read_secrets(place, fields)
        authorities = self._read_authorities(place, fields)
        if url is None or not secrets:
            return None
        try:
            parts = _webhook_address(url, fields.get("allow_host"))
        except InvalidValue as error:
            self._add(f"{place}.url: {error.message}", error.remedy)
            return None
        host = parts.hostname or ""
        name = self._name(place, fields, host)
        return WebhookSettings(
            name=name,
            url=Secret(url),
            host=f"{parts.scheme}://{parts.netloc}",
            secrets=tuple(Secret(secret) for secret in secrets),
            authorities=authorities,
            **fields,
        )

    def _notify(self, number: int, table: dict[str, Any]) -> NotifySettings | None:
        place = f"notify[{number}]"
        fields = dict(table)
        self._check_accounts(place, fields)
        url = self._read_url(place, fields)
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        if not separator or not rest or not _SCHEME.fullmatch(scheme.lower()):
            self._add(
                f"{place}.url: expected an address of apprise such as slack://… or mailto://…",
                "github.com/caronc/apprise/wiki lists the services",
            )
            return None
        name = self._name(place, fields, scheme.lower())
        fields.setdefault("types", NOTIFY_TYPES)
        return NotifySettings(name=name, url=Secret(url), scheme=scheme.lower(), **fields)

    def _name(self, place: str, fields: dict[str, Any], default: str) -> str:
        name = str(fields.pop("name", default))
        if name in self._names:
            self._add(f"{place}: another section has the name {shown(name)}", "set `name`")
        self._names.add(name)
        return name

    def _check_accounts(self, place: str, fields: Mapping[str, Any]) -> None:
        for key, known, kind in (
            ("accounts", self._labels, "account"),
            ("tiers", self._tiers, "tier"),
        ):
            for word in fields.get(key, ()):
                if word not in known:
                    meant = nearest(word, known)
                    listed = ", ".join(known[:10]) or f"no {kind}"
                    self._add(
                        f"{place}.{key}: no such {kind}: {shown(word)}",
                        f'did you mean "{meant}"?' if meant else f"known here: {listed}",
                    )

    def _read_url(self, place: str, fields: dict[str, Any]) -> str | None:
        url, file = fields.pop("url", None), fields.pop("url_file", None)
        if (url is None) == (file is None):
            self._add(f"{place}: one of url, url_file is expected")
            return None
        if file is None:
            is_plain = place.startswith("webhooks") and not urlsplit(str(url)).query
            if not is_plain:
                self._check_private(place, "url")
            return str(url)
        lines = self._read_file(place, "url_file", file)
        if lines is None:
            return None
        try:
            return _any_url(lines[0] if len(lines) == 1 else None)
        except InvalidValue as error:
            self._add(f"{place}.url_file: {error.message}", "write the address into one line")
            return None

    def _read_secrets(self, place: str, fields: dict[str, Any]) -> tuple[str, ...]:
        secrets, file = fields.pop("secret", None), fields.pop("secret_file", None)
        if (secrets is None) == (file is None):
            self._add(f"{place}: one of secret, secret_file is expected")
            return ()
        if file is None:
            self._check_private(place, "secret")
            return tuple(secrets)
        lines = self._read_file(place, "secret_file", file)
        if lines is None:
            return ()
        try:
            return _secrets(lines)
        except InvalidValue as error:
            self._add(f"{place}.secret_file: {error.message}", error.remedy)
            return ()

    def _read_authorities(self, place: str, fields: dict[str, Any]) -> str | None:
        """Return the certificates of `ca_file`; None without it, or if it cannot be used."""
        name = fields.pop("ca_file", None)
        if name is None:
            return None
        path = self._file.parent / Path(name).expanduser()
        try:
            text = toml_file.read_bytes(path).decode("ascii", "replace")
            ssl.create_default_context(cadata=text)
        except FileNotFoundError:
            self._add(f"{place}.ca_file: {path} not found")
        except toml_file.TomlError as error:
            self.problems.append(error.problem)
        except (ssl.SSLError, ValueError):
            self._add(
                f"{place}.ca_file: {path} contains no certificate",
                "expected PEM: -----BEGIN CERTIFICATE-----",
            )
        else:
            return text
        return None

    def _read_file(self, place: str, key: str, name: str) -> list[str] | None:
        """Return the lines of a file of secrets; None if it cannot be used."""
        path, is_from_systemd = find_secret_file(name, self._file, self._environ)
        if not is_from_systemd and (problem := check_permissions(path)):
            self.problems.append(problem)
            return None
        try:
            text = toml_file.read_bytes(path).decode("utf-8", "replace")
        except FileNotFoundError:
            self._add(f"{place}.{key}: {path} not found")
            return None
        except toml_file.TomlError as error:
            self.problems.append(error.problem)
            return None
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _check_private(self, place: str, key: str) -> None:
        """A secret in a file that others can read is no secret."""
        if not self._is_file_private:
            self._is_file_private = True  # reported once
            self._add(
                f"{place}.{key}: contains a secret, and the file is readable by others",
                f"chmod 600 {self._file.name}; or move it into a file: `{key}_file`",
            )

    def _add(self, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self._file}: {message}", remedy))


def _webhook_address(url: str, allow_host: str | None) -> SplitResult:
    """Return a receiver's address. Raises `InvalidValue`, which never shows it.

    Names are checked again at every connect, after DNS: here only what is certain.
    """
    expected = "expected an address such as https://hooks.example/path"
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or 1 <= parts.port <= 65535
        host = (parts.hostname or "").lower()
    except ValueError:
        raise InvalidValue(expected) from None
    if parts.scheme not in ("http", "https") or not has_port or not host or parts.fragment:
        raise InvalidValue(expected)
    if "@" in parts.netloc:
        raise InvalidValue(
            "the address contains a name or password", "remove it: events are signed"
        )
    if allow_host is not None and host != allow_host.lower():
        raise InvalidValue("its host is not that of allow_host", "allow_host is the host of `url`")
    if allow_host is not None:
        return parts
    remedy = f'if it shall be, set `allow_host = "{host}"` beside it'
    if _is_private(host):
        raise InvalidValue("the address is on this machine or a private network", remedy)
    if parts.scheme == "http":
        raise InvalidValue("plain http can be read and changed in transit", f"use https; {remedy}")
    return parts


def _is_private(host: str) -> bool:
    if values.is_loopback(host) or f".{host}".endswith(PRIVATE_TOP_LEVELS):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
