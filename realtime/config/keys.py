"""Find each account's pair of keys: the environment first, then `secrets.toml`.

No message of this file ever holds a key, nor a word of `secrets.toml` that might be one.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct, structs

from realtime.config import toml_file
from realtime.config.environment import KEY_NAMES, keys_given, variable
from realtime.config.file_permissions import exposed
from realtime.config.problems import InvalidValue, Problem, dotted, nearest
from realtime.config.settings import AccountSettings
from realtime.config.validators import key
from realtime.secret import Credentials, Secret

ENVIRONMENT = "environment"
DEFAULT_NAME = "secrets.toml"
KIND = {"PK": "paper", "AK": "live"}  # how Alpaca's keys begin; others (simulators) are not judged

Pair = dict[str, str]  # key_id, secret_key → the value; a missing one is absent


class SecretsFile(Struct, frozen=True, kw_only=True):
    """What `secrets.toml` gave: label → its values, and what was wrong with the rest."""

    path: Path
    pairs: dict[str, Pair] = {}
    problems: tuple[Problem, ...] = ()
    usable: bool = True
    found: bool = True


def find_secrets_file(written: Path | None, beside: Path, environ: Mapping[str, str]) -> Path:
    """Give the path to read: systemd's credentials, else as written, else next to `beside`."""
    given = environ.get("CREDENTIALS_DIRECTORY")
    if given and (Path(given) / DEFAULT_NAME).exists():
        return Path(given) / DEFAULT_NAME
    return beside.parent / (written or DEFAULT_NAME)


def read_secrets(path: Path, labels: Iterable[str], environ: Mapping[str, str]) -> SecretsFile:
    """Read the file if there is one. It must be private, unless systemd gave it and saw to that."""
    systemd = environ.get("CREDENTIALS_DIRECTORY")
    from_systemd = bool(systemd) and path.parent == Path(systemd or "")
    try:
        problem = None if from_systemd else exposed(path)
        if problem:
            return SecretsFile(path=path, problems=(problem,), usable=False)
        tables = toml_file.parse(toml_file.read_bytes(path), path)
    except FileNotFoundError:
        return SecretsFile(path=path, found=False)
    except toml_file.TomlError as error:
        return SecretsFile(path=path, problems=(error.problem,), usable=False)
    return _take(tables, path, list(labels))


def _take(tables: dict[str, object], path: Path, labels: list[str]) -> SecretsFile:
    pairs: dict[str, Pair] = {}
    problems: list[Problem] = []
    known = frozenset(labels)
    for label, table in tables.items():
        if not isinstance(table, dict):
            problems.append(
                Problem(f"{path}: a value stands outside a section", "put it under [<label>]")
            )
        elif label not in known and labels:  # without any account that is what is wrong
            problems.append(_stranger(label, path, labels))
        elif label in known:
            pairs[label] = _pair(table, f"{path}: [{label}]", problems)
    return SecretsFile(path=path, pairs=pairs, problems=tuple(dict.fromkeys(problems)))


def _stranger(label: str, path: Path, labels: list[str]) -> Problem:
    found = nearest(label, labels)
    if found:
        return Problem(f"{path}: [{dotted(label)}]: no such account", f"did you mean [{found}]?")
    return Problem(
        f"{path}: a section belongs to no account of accounts.toml",
        f"its name must be one of: {', '.join(labels[:10])}{', …' if len(labels) > 10 else ''}",
    )


def _pair(table: dict[str, object], where: str, problems: list[Problem]) -> Pair:
    pair: Pair = {}
    for name, value in table.items():
        if name not in KEY_NAMES:
            found = nearest(name, KEY_NAMES)
            remedy = f"did you mean `{found}`?" if found else ""
            problems.append(Problem(f"{where}: only key_id and secret_key may stand here", remedy))
            continue
        try:
            pair[name] = key(value)
        except InvalidValue as wrong:
            problems.append(Problem(f"{where} {name} {wrong.message}", wrong.remedy))
            pair[name] = ""  # it is there and reported: not missing as well
    return pair


def with_keys(
    accounts: tuple[AccountSettings, ...], secrets: SecretsFile, environ: Mapping[str, str]
) -> tuple[tuple[AccountSettings, ...], list[Problem]]:
    """Give every enabled account its keys. Whoever has none, or a wrong one, is in the problems."""
    problems: list[Problem] = []
    keyed: list[AccountSettings] = []
    missing: list[AccountSettings] = []
    for account in accounts:
        if not account.enabled:
            keyed.append(account)
            continue
        pair, source = _resolve(account, secrets, environ, problems)
        if not pair:
            missing.append(account)
        elif all(pair.get(name) for name in KEY_NAMES):
            found = Credentials(Secret(pair["key_id"]), Secret(pair["secret_key"]), source)
            keyed.append(structs.replace(account, credentials=found))
            problems.extend(_wrong_kind(account, pair["key_id"]))
    problems.extend(_twice(keyed))
    if secrets.usable:
        problems.extend(_without_keys(missing, accounts, secrets))
    return tuple(keyed), problems


def _resolve(
    account: AccountSettings,
    secrets: SecretsFile,
    environ: Mapping[str, str],
    problems: list[Problem],
) -> tuple[Pair, str]:
    """Give the pair and where it was found. A value reported as wrong is left empty."""
    given = keys_given(account.label, environ)
    written = secrets.pairs.get(account.label, {})
    pair = written | given
    if given and len(given) < len(pair) == len(written):
        pair = given  # half a pair over a whole one: the halves may belong to two keys
    if len(pair) == 1:
        problems.append(_half(account.label, next(iter(pair)), bool(given), secrets.path))
        return dict.fromkeys(pair, ""), ENVIRONMENT
    for name, value in given.items():
        try:
            key(value)
        except InvalidValue as wrong:
            fact = f"{variable(account.label, name)} {wrong.message}"
            problems.append(Problem(fact, wrong.remedy))
            pair[name] = ""
    return pair, ENVIRONMENT if given else secrets.path.name


def _half(label: str, there: str, in_environment: bool, path: Path) -> Problem:
    absent = next(name for name in KEY_NAMES if name != there)
    if in_environment:
        fact = f"{variable(label, there)} is set but {variable(label, absent)} is not"
    else:
        fact = f"{path}: [{label}] has {there} but no {absent}"
    return Problem(fact, "keys come in pairs: give both")


def _wrong_kind(account: AccountSettings, key_id: str) -> list[Problem]:
    kind = KIND.get(key_id[:2])
    wanted = "paper" if account.paper else "live"
    if kind is None or kind == wanted:
        return []
    remedy = (
        "make a paper key; or, to trade real money, write `paper = false`"
        if account.paper
        else "make a live key, or leave `paper = false` out"
    )
    fact = f"the key is for {kind} trading ({key_id[:2]}…) but paper = {str(account.paper).lower()}"
    return [Problem(f'account "{account.label}": {fact}', remedy)]


def _twice(accounts: list[AccountSettings]) -> list[Problem]:
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
                    "every account has a pair of its own; disable one or give it its own",
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
            f"set `{variable(account.label, 'key_id')}` and "
            f"`{variable(account.label, 'secret_key')}`, or `[{account.label}]` in {path}",
        )
        for account in missing
    ]
