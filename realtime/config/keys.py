"""Finds each account's pair of keys: in the environment, in `.env`, then in `secrets.toml`.

No message of this file ever contains a key, nor a word of `secrets.toml` that might be one.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import Struct, structs

from realtime.config import toml_file
from realtime.config.env_file import FILE_NAME
from realtime.config.environment import KEY_NAMES, keys_in_environment, variable
from realtime.config.file_permissions import check_permissions
from realtime.config.problems import InvalidValue, Problem, dotted
from realtime.config.settings import AccountSettings
from realtime.config.validators import key
from realtime.nearest import nearest
from realtime.secret import Credentials, Secret

ENVIRONMENT = "environment"
ENV_FILE = FILE_NAME
"""Sources of keys beside `secrets.toml`, by the names that people see."""

DEFAULT_NAME = "secrets.toml"
KIND_BY_PREFIX = {"PK": "paper", "AK": "live"}
"""How Alpaca's keys start; others (simulators) are not checked."""

Pair = dict[str, str]
"""`key_id`, `secret_key` → the value; a missing one is absent."""


class SecretsFile(Struct, frozen=True, kw_only=True):
    """The content of `secrets.toml`: label → its keys, and what is wrong with the rest."""

    path: Path
    pairs: dict[str, Pair] = {}
    problems: tuple[Problem, ...] = ()
    usable: bool = True
    found: bool = True


def find_secrets_file(configured: Path | None, beside: Path, environ: Mapping[str, str]) -> Path:
    """Return the path to read: systemd's credentials, else `secrets_file`, else beside `beside`."""
    systemd = environ.get("CREDENTIALS_DIRECTORY")
    if systemd and (Path(systemd) / DEFAULT_NAME).exists():
        return Path(systemd) / DEFAULT_NAME
    return beside.parent / (configured or DEFAULT_NAME)


def read_secrets(path: Path, labels: Iterable[str], environ: Mapping[str, str]) -> SecretsFile:
    """Read the file if there is one. It must be private; systemd guarantees that for its own."""
    systemd = environ.get("CREDENTIALS_DIRECTORY")
    from_systemd = bool(systemd) and path.parent == Path(systemd or "")
    try:
        problem = None if from_systemd else check_permissions(path)
        if problem:
            return SecretsFile(path=path, problems=(problem,), usable=False)
        tables = toml_file.parse(toml_file.read_bytes(path), path)
    except FileNotFoundError:
        return SecretsFile(path=path, found=False)
    except toml_file.TomlError as error:
        return SecretsFile(path=path, problems=(error.problem,), usable=False)
    return _parse_tables(tables, path, list(labels))


def _parse_tables(tables: dict[str, object], path: Path, labels: list[str]) -> SecretsFile:
    pairs: dict[str, Pair] = {}
    problems: list[Problem] = []
    known = frozenset(labels)
    for label, table in tables.items():
        if not isinstance(table, dict):
            problems.append(
                Problem(f"{path}: a value is outside a section", "put it under [<label>]")
            )
        elif label not in known and labels:  # without any account, that is the problem
            problems.append(_unknown_section(label, path, labels))
        elif label in known:
            pairs[label] = _pair(table, f"{path}: [{label}]", problems)
    return SecretsFile(path=path, pairs=pairs, problems=tuple(dict.fromkeys(problems)))


def _unknown_section(label: str, path: Path, labels: list[str]) -> Problem:
    meant = nearest(label, labels)
    if meant:
        return Problem(f"{path}: [{dotted(label)}]: no such account", f"did you mean [{meant}]?")
    return Problem(
        f"{path}: a section belongs to no account of accounts.toml",
        f"its name must be one of: {', '.join(labels[:10])}{', …' if len(labels) > 10 else ''}",
    )


def _pair(table: dict[str, object], where: str, problems: list[Problem]) -> Pair:
    pair: Pair = {}
    for name, value in table.items():
        if name not in KEY_NAMES:
            meant = nearest(name, KEY_NAMES)
            remedy = f"did you mean `{meant}`?" if meant else ""
            problems.append(
                Problem(f"{where}: only key_id and secret_key are allowed here", remedy)
            )
            continue
        try:
            pair[name] = key(value)
        except InvalidValue as error:
            problems.append(Problem(f"{where} {name} {error.message}", error.remedy))
            pair[name] = ""  # reported already: not missing as well
    return pair


def with_keys(
    accounts: tuple[AccountSettings, ...],
    secrets: SecretsFile,
    environ: Mapping[str, str],
    *,
    in_env_file: Callable[[str], bool] = lambda name: False,
) -> tuple[tuple[AccountSettings, ...], list[Problem]]:
    """Add the keys to every enabled account; one without, or with a wrong one, is a problem.

    `in_env_file`: whether a variable was read from `.env`.
    """
    problems: list[Problem] = []
    keyed: list[AccountSettings] = []
    missing: list[AccountSettings] = []
    for account in accounts:
        if not account.enabled:
            keyed.append(account)
            continue
        pair, source = _resolve(account.label, secrets, environ, problems, in_env_file)
        if not pair:
            missing.append(account)
        elif all(pair.get(name) for name in KEY_NAMES):
            credentials = Credentials(Secret(pair["key_id"]), Secret(pair["secret_key"]), source)
            keyed.append(structs.replace(account, credentials=credentials))
            problems.extend(_wrong_kind(account, pair["key_id"]))
    problems.extend(_duplicate_keys(keyed))
    if secrets.usable:
        problems.extend(_without_keys(missing, accounts, secrets))
    return tuple(keyed), problems


def find_key(
    label: str,
    secrets: SecretsFile,
    environ: Mapping[str, str],
    *,
    in_env_file: Callable[[str], bool] = lambda name: False,
) -> tuple[Credentials | None, list[Problem]]:
    """Return the keys of a label that is no account's: those for market data."""
    problems: list[Problem] = []
    pair, source = _resolve(label, secrets, environ, problems, in_env_file)
    if not pair and secrets.usable:
        problems.append(
            Problem(
                f'market: account "{label}": no key',
                f"{_key_remedy(label, secrets.path)}; or name one of the accounts",
            )
        )
    if not all(pair.get(name) for name in KEY_NAMES):
        return None, problems
    return Credentials(Secret(pair["key_id"]), Secret(pair["secret_key"]), source), problems


def _resolve(
    label: str,
    secrets: SecretsFile,
    environ: Mapping[str, str],
    problems: list[Problem],
    in_env_file: Callable[[str], bool],
) -> tuple[Pair, str]:
    """Return the pair and its source. A value that was reported as wrong is left empty."""
    variables = keys_in_environment(label, environ)
    from_file = secrets.pairs.get(label, {})
    pair = from_file | variables
    if variables and len(variables) < len(pair) == len(from_file):
        pair = variables  # half a pair over a whole one: the halves may belong to two keys
    if len(pair) == 1:
        problems.append(_half(label, next(iter(pair)), bool(variables), secrets.path))
        return dict.fromkeys(pair, ""), ENVIRONMENT
    for name, value in variables.items():
        try:
            key(value)
        except InvalidValue as error:
            fact = f"{variable(label, name)} {error.message}"
            problems.append(Problem(fact, error.remedy))
            pair[name] = ""
    if not variables:
        return pair, secrets.path.name
    is_env_file = all(in_env_file(variable(label, name)) for name in variables)
    return pair, ENV_FILE if is_env_file else ENVIRONMENT


def _half(label: str, present: str, in_environment: bool, path: Path) -> Problem:
    absent = next(name for name in KEY_NAMES if name != present)
    if in_environment:
        fact = f"{variable(label, present)} is set but {variable(label, absent)} is not"
    else:
        fact = f"{path}: [{label}] has {present} but no {absent}"
    return Problem(fact, "keys come in pairs: set both")


def _wrong_kind(account: AccountSettings, key_id: str) -> list[Problem]:
    kind = KIND_BY_PREFIX.get(key_id[:2])
    expected = "paper" if account.paper else "live"
    if kind is None or kind == expected:
        return []
    remedy = (
        "create a paper key; or, to trade real money, set `paper = false`"
        if account.paper
        else "create a live key, or remove `paper = false`"
    )
    fact = f"the key is for {kind} trading ({key_id[:2]}…) but paper = {str(account.paper).lower()}"
    return [Problem(f'account "{account.label}": {fact}', remedy)]


def _duplicate_keys(accounts: list[AccountSettings]) -> list[Problem]:
    """Two labels on one key are one account: an order meant for both would be placed twice."""
    seen: dict[tuple[str, Secret], str] = {}
    problems = []
    for account in accounts:
        if account.credentials is None:
            continue
        first = seen.setdefault((account.trading_url, account.credentials.key_id), account.label)
        if first != account.label:
            problems.append(
                Problem(
                    f'accounts "{first}" and "{account.label}" have the same key',
                    "every account has its own pair; disable one, or set its own keys",
                )
            )
    return problems


def _without_keys(
    missing: list[AccountSettings], accounts: tuple[AccountSettings, ...], secrets: SecretsFile
) -> list[Problem]:
    path = secrets.path
    if missing and not secrets.found and path.name != DEFAULT_NAME:
        remedy = "correct `secrets_file` in [alpaca]"
        return [Problem(f"{path} not found (accounts without a key: {len(missing)})", remedy)]
    enabled = [account for account in accounts if account.enabled]
    if len(missing) == len(enabled) > 1:
        remedy = "try `realtime demo`, or see README *Your own accounts*"
        return [Problem(f"no keys for {len(missing)} accounts; {remedy}")]
    return [
        Problem(
            f'account "{account.label}": no key',
            _key_remedy(account.label, path),
        )
        for account in missing
    ]


def _key_remedy(label: str, path: Path) -> str:
    names = f"`{variable(label, 'key_id')}` and `{variable(label, 'secret_key')}`"
    return f"set {names}, or `[{label}]` in {path}"
