"""Reads files, environment and flags into `Settings`, or raises one error with all problems."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, structs

from realtime.config import toml_file
from realtime.config import validators as values
from realtime.config.accounts_file import AccountsFile, AccountsFileReader, read_accounts_file
from realtime.config.auth_section import read_auth
from realtime.config.cluster_section import ClusterSection, read_cluster
from realtime.config.env_file import EnvFile, read_env_file
from realtime.config.environment import find_quoted_variables, find_unused_variables
from realtime.config.keys import find_key, find_secrets_file, read_secrets, with_keys
from realtime.config.market_section import read_market
from realtime.config.notify_sections import TargetReader
from realtime.config.problems import InvalidConfig, InvalidValue, Problem, shown
from realtime.config.settings import (
    AlpacaApiSettings,
    AlpacaSettings,
    AuthSettings,
    HistorySettings,
    NotifySettings,
    OrdersSettings,
    ServerSettings,
    Settings,
    WebhookSettings,
)

DEFAULT_PATH = Path("accounts.toml")


class _Read(Struct, frozen=True):
    """The files, as far as they do not need keys."""

    path: Path
    content: AccountsFile
    reader: AccountsFileReader
    env_file: EnvFile
    environ: Mapping[str, str]
    """The environment, with the variables of `.env` that it does not have."""


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    host: str | None = None,
    port: int | None = None,
    audit_log: Path | None = None,
) -> Settings:
    """Read and check everything. Flag > environment > `.env` > file > default.

    Raises `ConfigError` with every problem, not only the first.
    """
    read = _read(path, environ)
    path, content, environ_before, environ = read.path, read.content, environ, read.environ
    problems = [*read.reader.problems, *read.env_file.problems]
    problems += find_quoted_variables(environ)
    server = _server(content.server, environ, host, port, problems)
    if content.auth is None:
        auth, auth_problems = None, _check_unauthenticated(server.host)
    else:
        auth, auth_problems = read_auth(content.auth, path, environ)
    secrets_path = find_secrets_file(content.secrets_file, path, environ)
    labels = [account.label for account in content.accounts]
    market_label = None if content.market is None else content.market.key_label(environ)
    key_labels = labels
    if market_label is not None and market_label not in labels:
        key_labels = [*labels, market_label]
    secrets = read_secrets(secrets_path, key_labels, environ)
    accounts, key_problems = with_keys(
        content.accounts,
        secrets,
        environ,
        in_env_file=lambda name: read.env_file.provides(name, environ_before),
    )
    problems += [*auth_problems, *secrets.problems, *key_problems]
    problems += _check_alpaca_api(content.alpaca_api, server.host)
    market = None
    if content.market is not None:
        market, market_problems = read_market(
            content.market,
            accounts,
            environ,
            beside=path,
            find_key=lambda label: find_key(
                label,
                secrets,
                environ,
                in_env_file=lambda name: read.env_file.provides(name, environ_before),
            ),
        )
        problems += market_problems
    cluster = None
    if content.cluster is not None:
        cluster, cluster_problems = read_cluster(content.cluster, path, environ)
        problems += cluster_problems
    targets = TargetReader(path, environ, content.accounts, content.tiers)
    webhooks = targets.read_webhooks(
        content.targets.webhooks, has_history=content.history is not None
    )
    notify = targets.read_notify(content.targets.notify)
    problems += targets.problems
    used_key_ids = {a.credentials.key_id.reveal() for a in accounts if a.credentials}
    warnings = find_unused_variables(key_labels, used_key_ids, environ)
    if problems:
        raise InvalidConfig(problems + warnings)
    orders = content.orders
    return Settings(
        path=path,
        server=server,
        auth=auth,
        limits=content.limits,
        orders=orders if audit_log is None else structs.replace(orders, audit_log=audit_log),
        log=content.log,
        history=content.history,
        market=market,
        books=content.books,
        tiers=content.tiers,
        alpaca_api=content.alpaca_api,
        webhooks=webhooks,
        notify=notify,
        cluster=cluster,
        alpaca=AlpacaSettings(
            startup_concurrency=content.startup_concurrency, secrets_file=secrets_path
        ),
        accounts=accounts,
        warnings=tuple(f"{warning.message}: {warning.remedy}" for warning in warnings),
        notices=_notices(read.env_file, environ_before),
    )


def load_front(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    of: tuple[str, ...] = (),
    secret_file: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """Read and check what a front needs: a daemon without accounts that follows those of others.

    The file is optional. It may be that of an owner: its accounts, market data, history, webhooks
    and notifications are left out, and `listen` too. `of` and `secret_file` take precedence over
    its `[cluster]`. Raises `ConfigError` with every problem.
    """
    path = _path(path, environ)
    tables = _tables(path) if path.exists() or not of else {}
    content, reader = read_accounts_file(tables, path, needs_accounts=False)
    environ_before, env_file = environ, read_env_file(path)
    environ = env_file.merge(environ)
    problems = [*reader.problems, *env_file.problems]
    server = _server(content.server, environ, host, port, problems)
    auth = None
    if content.auth is None:
        problems += _check_unauthenticated(server.host)
    else:
        auth, auth_problems = read_auth(content.auth, path, environ)
        problems += auth_problems
    section = structs.replace(content.cluster or ClusterSection(), listen=None)
    section = structs.replace(section, of=of or section.of, member=section.member or "front")
    if secret_file is not None:
        section = structs.replace(section, secret_file=str(secret_file.absolute()))
    cluster, cluster_problems = read_cluster(section, path, environ)
    problems += [*cluster_problems, *_check_alpaca_api(content.alpaca_api, server.host)]
    if problems:
        raise InvalidConfig(problems)
    return Settings(
        path=path,
        accounts=(),
        server=server,
        auth=auth,
        limits=content.limits,
        log=content.log,
        books=content.books,
        tiers=content.tiers,
        alpaca_api=content.alpaca_api,
        cluster=cluster,
        notices=_notices(env_file, environ_before),
    )


def load_auth(path: Path | None, *, environ: Mapping[str, str]) -> AuthSettings | None:
    """Read `[auth]` only; None if there is no such section. Raises `ConfigError`."""
    read = _read(path, environ)
    if read.content.auth is None:
        return None
    auth, problems = read_auth(read.content.auth, read.path, read.environ)
    _raise_for_section(read, "auth", problems)
    return auth


def load_server(path: Path | None, *, environ: Mapping[str, str]) -> ServerSettings:
    """Read where the daemon listens; needs no keys. Raises `ConfigError`."""
    read = _read(path, environ)
    problems: list[Problem] = []
    server = _server(read.content.server, read.environ, None, None, problems)
    _raise_for_section(read, "server", problems)
    return server


def load_orders(path: Path | None, *, environ: Mapping[str, str]) -> OrdersSettings:
    """Read `[orders]` only; needs no keys. Raises `ConfigError`."""
    read = _read(path, environ)
    _raise_for_section(read, "orders", [])
    return read.content.orders


def load_history(path: Path | None, *, environ: Mapping[str, str]) -> HistorySettings | None:
    """Read `[history]` alone; None where it is off. Raises `ConfigError`."""
    read = _read(path, environ)
    _raise_for_section(read, "history", [])
    return read.content.history


def load_targets(
    path: Path | None, *, environ: Mapping[str, str]
) -> tuple[tuple[WebhookSettings, ...], tuple[NotifySettings, ...]]:
    """Read `[[webhooks]]` and `[[notify]]`; needs no keys. Raises `ConfigError`."""
    read = _read(path, environ)
    reader = TargetReader(read.path, read.environ, read.content.accounts, read.content.tiers)
    sections = read.content.targets
    webhooks = reader.read_webhooks(sections.webhooks, has_history=read.content.history is not None)
    notify = reader.read_notify(sections.notify)
    _raise_for_section(read, "webhooks", [])
    _raise_for_section(read, "notify", reader.problems)
    return webhooks, notify


def load_labels(path: Path | None, *, environ: Mapping[str, str]) -> list[str]:
    """Read the labels of all accounts; needs no keys. Raises `ConfigError`."""
    return [account.label for account in _read(path, environ).content.accounts]


def load_environ(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the variables of `.env`; nothing of it is checked."""
    return read_env_file(_path(path, environ)).merge(environ)


def _read(path: Path | None, environ: Mapping[str, str]) -> _Read:
    path = _path(path, environ)
    content, reader = read_accounts_file(_tables(path), path)
    env_file = read_env_file(path)
    return _Read(path, content, reader, env_file, env_file.merge(environ))


def _path(path: Path | None, environ: Mapping[str, str]) -> Path:
    return path or Path(environ.get("REALTIME_CONFIG") or DEFAULT_PATH)


def _raise_for_section(read: _Read, section: str, problems: list[Problem]) -> None:
    prefix = f"{read.path}: {section}"
    problems = [*(p for p in read.reader.problems if p.message.startswith(prefix)), *problems]
    if problems:
        raise InvalidConfig(problems)


def _notices(env_file: EnvFile, environ: Mapping[str, str]) -> tuple[str, ...]:
    names = env_file.used(environ)
    if not names:
        return ()
    return (f"{env_file.path} is used for {', '.join(names)}",)


def _tables(path: Path) -> dict[str, object]:
    try:
        return toml_file.parse(toml_file.read_bytes(path), path)
    except FileNotFoundError as error:
        fact = f"{path.name} not found in {path.parent.absolute()}"
        missing = Problem(fact, "`realtime demo` needs none; or `--config PATH`")
        raise InvalidConfig([missing]) from error
    except toml_file.TomlError as error:
        raise InvalidConfig([error.problem]) from error


def _server(
    server: ServerSettings,
    environ: Mapping[str, str],
    host: str | None,
    port: int | None,
    problems: list[Problem],
) -> ServerSettings:
    host = values.bare_host(host or environ.get("REALTIME_HOST") or server.host)
    port_text = environ.get("REALTIME_PORT")
    source: str = "--port"
    value: object = port
    if port is None and port_text:
        source, value = "REALTIME_PORT", _as_number(port_text)
    elif port is None:
        value = server.port
    try:
        server = structs.replace(server, port=values.port(value))
    except InvalidValue as error:
        problems.append(Problem(f"{source}: {error.message}"))
    return structs.replace(server, host=host)


def _check_unauthenticated(host: str) -> list[Problem]:
    """Without authentication, any client that reaches the address could trade."""
    if values.is_loopback(host):
        return []
    name = host if host.isprintable() else shown(host)
    return [
        Problem(
            f"refusing to listen on {name} without authentication",
            "set `[auth] secret_file`, or bind 127.0.0.1 behind a proxy",
        )
    ]


def _check_alpaca_api(section: AlpacaApiSettings, host: str) -> list[Problem]:
    """Alpaca's clients send the account's keys in headers: never over a network without TLS."""
    if values.is_loopback(host) or not section.enabled or section.behind_tls:
        return []
    name = host if host.isprintable() else shown(host)
    return [
        Problem(
            f"alpaca_api: keys would be sent to {name} without TLS",
            "set `behind_tls = true` if a proxy in front of this daemon ends TLS, or remove"
            " `enabled`, or bind 127.0.0.1",
        )
    ]


def _as_number(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
