"""Writes `accounts.toml` and `secrets.toml` for a daemon that follows a simulator."""

import os
from collections.abc import Sequence
from pathlib import Path

from realtime.errors import ConfigError
from realtime.simulator.account_presets import tier_name
from realtime.simulator.credentials import key_id_for, secret_for
from realtime.simulator.exchange.engine import AccountSpec

_HEAD = """\
# Written by `realtime sim --write-config`: accounts of a simulator, no real money.
# Use it as it is: realtime run --config {path}

[alpaca]
secrets_file = "secrets.toml"
"""
_ACCOUNT = """
[accounts.{label}]
name = "{name}"
tier = "{tier}"
initial_balance = "{cash}"
account_number = "{number}"
trading_url = "{url}"
"""
_SECRETS_HEAD = "# Keys of simulated accounts. They work with the simulator only.\n"
_SECRET = """
[{label}]
key_id = "{key}"
secret_key = "{secret}"
"""


def write_config(directory: Path, specs: Sequence[AccountSpec], url: str) -> Path:
    """Write both files into a directory, creating it if needed; return the accounts file.

    Files that an earlier run wrote are replaced, no others: they may hold real keys. Raises
    ConfigError if the files cannot be written.
    """
    accounts, secrets = directory / "accounts.toml", directory / "secrets.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _check_is_generated(accounts, _HEAD)
        _check_is_generated(secrets, _SECRETS_HEAD)
        _write(accounts, accounts_text(specs, url, accounts), 0o644)
        _write(secrets, secrets_text(specs), 0o600)
    except OSError as error:
        remedy = "pass --write-config a writable directory"
        raise ConfigError(f"{error.filename}: {error.strerror}", remedy=remedy) from error
    return accounts


def accounts_text(specs: Sequence[AccountSpec], url: str, path: Path) -> str:
    """Return the text of `accounts.toml`."""
    tables = [
        _ACCOUNT.format(
            label=spec.label,
            name=spec.label.replace("_", " ").capitalize(),
            tier=tier_name(spec),
            cash=format(spec.cash, "f"),
            number=spec.account_number,
            url=url,
        )
        for spec in specs
    ]
    return _HEAD.format(path=path) + "".join(tables)


def secrets_text(specs: Sequence[AccountSpec]) -> str:
    """Return the text of `secrets.toml`."""
    labels = [spec.label for spec in specs]
    tables = [_SECRET.format(label=x, key=key_id_for(x), secret=secret_for(x)) for x in labels]
    return _SECRETS_HEAD + "".join(tables)


def _check_is_generated(path: Path, head: str) -> None:
    """Raise ConfigError if the file was not written by a simulator."""
    if not path.is_file():
        return
    first = head.partition("\n")[0].encode()
    with path.open("rb") as file:
        beginning = file.read(len(first))
    if beginning and beginning != first:
        remedy = "pass --write-config another directory, or move that file away"
        raise ConfigError(
            f"{path} was not written by a simulator and is not replaced", remedy=remedy
        )


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file in one step, so that readers see either the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    temporary.chmod(mode)
    temporary.replace(path)
