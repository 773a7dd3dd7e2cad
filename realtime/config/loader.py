"""The door: files, environment and flags become `Settings`, or one error naming all problems."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import structs

from realtime.config import toml_file
from realtime.config import validators as values
from realtime.config.accounts_file import read_accounts_file
from realtime.config.auth_section import read_auth
from realtime.config.environment import strangers
from realtime.config.keys import find_secrets_file, read_secrets, with_keys
from realtime.config.problems import InvalidConfig, InvalidValue, Problem, shown
from realtime.config.settings import AlpacaSettings, AuthSettings, ServerSettings, Settings

DEFAULT_PATH = Path("accounts.toml")


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    host: str | None = None,
    port: int | None = None,
    audit_log: Path | None = None,
) -> Settings:
    """Read and check everything. Flag > environment > file > default.

    Raises `ConfigError` with every problem found, never only the first.
    """
    path = path or Path(environ.get("REALTIME_CONFIG") or DEFAULT_PATH)
    content, reading = read_accounts_file(_tables(path), path)
    problems = reading.problems
    server = _server(content.server, environ, host, port, problems)
    if content.auth is None:
        auth, auth_problems = None, _unguarded(server.host)
    else:
        auth, auth_problems = read_auth(content.auth, path, environ)
    secrets_path = find_secrets_file(content.secrets_file, path, environ)
    labels = [account.label for account in content.accounts]
    secrets = read_secrets(secrets_path, labels, environ)
    accounts, key_problems = with_keys(content.accounts, secrets, environ)
    problems += [*auth_problems, *secrets.problems, *key_problems]
    used = {a.credentials.key_id.reveal() for a in accounts if a.credentials}
    warnings = strangers(labels, used, environ)
    if problems:
        raise InvalidConfig(problems + warnings)
    return Settings(
        path=path,
        server=server,
        auth=auth,
        limits=content.limits,
        orders=content.orders
        if audit_log is None
        else structs.replace(content.orders, audit_log=audit_log),
        log=content.log,
        history=content.history,
        alpaca=AlpacaSettings(
            startup_concurrency=content.startup_concurrency, secrets_file=secrets_path
        ),
        accounts=accounts,
        warnings=tuple(f"{warning.message}: {warning.remedy}" for warning in warnings),
    )


def load_auth(path: Path | None, *, environ: Mapping[str, str]) -> AuthSettings | None:
    """Read `[auth]` alone; None if there is no such section. Raises `ConfigError`."""
    path = path or Path(environ.get("REALTIME_CONFIG") or DEFAULT_PATH)
    content, reading = read_accounts_file(_tables(path), path)
    if content.auth is None:
        return None
    auth, problems = read_auth(content.auth, path, environ)
    problems += [each for each in reading.problems if "auth" in each.message]
    if problems:
        raise InvalidConfig(problems)
    return auth


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
    host = host or environ.get("REALTIME_HOST") or server.host
    port_text = environ.get("REALTIME_PORT")
    source: str = "--port"
    wanted: object = port
    if port is None and port_text:
        source, wanted = "REALTIME_PORT", _as_number(port_text)
    elif port is None:
        wanted = server.port
    try:
        server = structs.replace(server, port=values.port(wanted))
    except InvalidValue as wrong:
        problems.append(Problem(f"{source}: {wrong.message}"))
    return structs.replace(server, host=host)


def _unguarded(host: str) -> list[Problem]:
    """Whoever can reach the address could read the accounts and send orders."""
    if values.is_loopback(host):
        return []
    name = host if host.isprintable() else shown(host)
    return [
        Problem(
            f"refusing to listen on {name} without authentication",
            "set `[auth] secret_file`, or bind 127.0.0.1 behind a proxy",
        )
    ]


def _as_number(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
