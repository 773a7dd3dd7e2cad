"""`[cluster]`: this daemon as a member of several that share the accounts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from realtime.auth.keys import parse_secrets
from realtime.config import toml_file
from realtime.config import validators as values
from realtime.config.auth_section import find_secret_file
from realtime.config.file_permissions import check_permissions
from realtime.config.problems import InvalidValue, Problem
from realtime.config.settings import ClusterSettings, ClusterTls, EngineSettings
from realtime.errors import ConfigError
from realtime.secret import Secret

CLUSTER: Mapping[str, Callable[[object], object]] = {
    "fleet": values.label,
    "member": values.label,
    "listen": values.address,
    "secret_file": values.text,
    "url": values.client_url,
    "of": values.owner_urls,
    "tls_certificate_file": values.text,
    "tls_key_file": values.text,
    "tls_ca_file": values.text,
    "engine": values.owner_urls,
    "engine_user": values.text,
    "engine_password_file": values.text,
    "engine_ca_file": values.text,
    "engine_certificate_file": values.text,
    "engine_key_file": values.text,
}

NEW_SECRET = "openssl rand -hex 32 makes a secret; chmod 600"


class ClusterSection(Struct, frozen=True, kw_only=True):
    """The section as it is in the file. `listen` is a host and a port."""

    fleet: str = "main"
    member: str | None = None
    listen: tuple[str, int] | None = None
    secret_file: str | None = None
    url: str | None = None
    of: tuple[str, ...] = ()
    tls_certificate_file: str | None = None
    tls_key_file: str | None = None
    tls_ca_file: str | None = None
    engine: tuple[str, ...] = ()
    engine_user: str | None = None
    engine_password_file: str | None = None
    engine_ca_file: str | None = None
    engine_certificate_file: str | None = None
    engine_key_file: str | None = None


def read_cluster(
    section: ClusterSection, beside: Path, environ: Mapping[str, str]
) -> tuple[ClusterSettings | None, list[Problem]]:
    """Return the settings. The secret is beside the accounts file, or systemd provides it."""
    problems = _check_tls(section)
    if section.member is None:
        problems.append(Problem("cluster: no `member`", "name this daemon; each has another name"))
    if section.listen is None and not section.of and not section.engine:
        problems.append(
            Problem(
                "cluster: neither `listen` nor `of`",
                "set `listen` where fronts connect, or `of` to follow other daemons",
            )
        )
    engine = _read_engine(section, beside, environ, problems)
    secrets = _read_secrets(section.secret_file, beside, environ, problems)
    if problems or section.member is None:
        return None, problems
    certificate, key = section.tls_certificate_file, section.tls_key_file
    tls = None
    if certificate is not None and key is not None:
        tls = ClusterTls(certificate_file=beside.parent / certificate, key_file=beside.parent / key)
    return ClusterSettings(
        fleet=section.fleet,
        member=section.member,
        listen=section.listen,
        secrets=secrets,
        url=section.url,
        of=section.of,
        tls=tls,
        ca_file=None if section.tls_ca_file is None else beside.parent / section.tls_ca_file,
        engine=engine,
    ), []


def _read_engine(
    section: ClusterSection, beside: Path, environ: Mapping[str, str], problems: list[Problem]
) -> EngineSettings | None:
    """Return the addresses of etcd, and how it is authenticated."""
    names = ("user", "password_file", "ca_file", "certificate_file", "key_file")
    present = [name for name in names if getattr(section, f"engine_{name}") is not None]
    if not section.engine:
        if present:
            fact = f"cluster: engine_{present[0]} without `engine`"
            problems.append(Problem(fact, "set `engine` to the addresses of etcd's nodes"))
        return None
    if section.of:
        fact = "cluster: `of` and `engine`"
        problems.append(Problem(fact, "with `engine` the other members are found there"))
    for first, second in (("user", "password_file"), ("certificate_file", "key_file")):
        if (first in present) != (second in present):
            fact = f"cluster: engine_{first} and engine_{second} belong together"
            problems.append(Problem(fact, "set both, or none"))
    for url in section.engine:
        is_clear = url.startswith("http://") and not values.is_loopback(
            urlsplit(url).hostname or ""
        )
        if is_clear and section.engine_user is not None:
            fact = f"cluster: the password would cross the network in clear to {url}"
            problems.append(Problem(fact, "use https"))
    password = None
    if section.engine_password_file is not None:
        password = _read_password(section.engine_password_file, beside, environ, problems)

    def path_of(name: str | None) -> Path | None:
        return None if name is None else beside.parent / name

    return EngineSettings(
        addresses=section.engine,
        user=section.engine_user,
        password=password,
        ca_file=path_of(section.engine_ca_file),
        certificate_file=path_of(section.engine_certificate_file),
        key_file=path_of(section.engine_key_file),
    )


def _read_password(
    name: str, beside: Path, environ: Mapping[str, str], problems: list[Problem]
) -> Secret | None:
    path, is_from_systemd = find_secret_file(name, beside, environ)
    if not is_from_systemd and (problem := check_permissions(path)):
        problems.append(problem)
        return None
    try:
        return Secret(toml_file.read_bytes(path).decode().strip())
    except (FileNotFoundError, UnicodeError):
        fact = f"{path} cannot be read (cluster.engine_password_file)"
        problems.append(Problem(fact, "write the password of engine_user into it"))
    except toml_file.TomlError as error:
        problems.append(error.problem)
    return None


def _check_tls(section: ClusterSection) -> list[Problem]:
    """Accounts, orders and the secret itself cross a network only encrypted."""
    problems = []
    if (section.tls_certificate_file is None) != (section.tls_key_file is None):
        fact = "cluster: tls_certificate_file and tls_key_file belong together"
        problems.append(Problem(fact, "set both, or none"))
    elif section.listen is not None and section.tls_key_file is None:
        host = section.listen[0]
        if not values.is_loopback(host):
            problems.append(
                Problem(
                    f"cluster: refusing to listen on {host} without TLS",
                    "set `tls_certificate_file` and `tls_key_file`, or listen on 127.0.0.1",
                )
            )
    problems += [
        Problem(
            f"cluster: of: the secret would cross the network in clear to {url}",
            "use https; http is for a daemon on this machine",
        )
        for url in section.of
        if url.startswith("http://") and not values.is_loopback(urlsplit(url).hostname or "")
    ]
    return problems


def _read_secrets(
    name: str | None, beside: Path, environ: Mapping[str, str], problems: list[Problem]
) -> tuple[Secret, ...]:
    """Return the secrets of a file, one per line: the first is sent, each is accepted."""
    if name is None:
        problems.append(Problem("cluster: no `secret_file`", NEW_SECRET))
        return ()
    path, is_from_systemd = find_secret_file(name, beside, environ)
    if not is_from_systemd and (problem := check_permissions(path)):
        problems.append(problem)
        return ()
    try:
        keys = parse_secrets(toml_file.read_bytes(path))
        secrets = tuple(Secret(key.material.decode("ascii")) for key in keys)
        if all(secret.reveal().isprintable() for secret in secrets):
            return secrets
        problems.append(Problem(f"{path}: not printable (cluster.secret_file)", NEW_SECRET))
    except FileNotFoundError:
        problems.append(Problem(f"{path} not found (cluster.secret_file)", NEW_SECRET))
    except UnicodeError:
        problems.append(Problem(f"{path}: not ASCII (cluster.secret_file)", NEW_SECRET))
    except toml_file.TomlError as error:
        problems.append(error.problem)
    except ConfigError as error:
        problems.append(Problem(f"{path} {error.message} (cluster.secret_file)", error.remedy))
    return ()


def read_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Check addresses of owners from a command line. Raises `ConfigError`."""
    try:
        return values.owner_urls(list(addresses)) if addresses else ()
    except InvalidValue as error:
        raise ConfigError(f"--of: {error.message}", remedy=error.remedy) from error
