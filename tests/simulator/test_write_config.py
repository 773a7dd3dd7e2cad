"""The files that the daemon reads."""

import tomllib
from pathlib import Path

import pytest

from realtime.errors import ConfigError
from realtime.simulator.account_presets import account_specs, preset_label
from realtime.simulator.credentials import Credentials
from realtime.simulator.write_config import write_config

URL = "http://127.0.0.1:8091"


def test_files_name_every_account_and_its_key(tmp_path: Path) -> None:
    specs = account_specs(30)
    path = write_config(tmp_path / "new", specs, URL)
    accounts = tomllib.loads(path.read_text())
    secrets = tomllib.loads(path.with_name("secrets.toml").read_text())
    assert list(accounts["accounts"]) == list(secrets) == [spec.label for spec in specs]
    assert accounts["alpaca"] == {"secrets_file": "secrets.toml"}
    assert accounts["accounts"]["alpha"] == {
        "name": "Alpha",
        "tier": "premium",
        "initial_balance": "1000000",
        "account_number": "PA0SIM000001",
        "trading_url": URL,
    }
    ring = Credentials(secrets)
    for label, keys in secrets.items():
        assert ring.check(keys["key_id"], keys["secret_key"]) == label


def test_secrets_file_is_private(tmp_path: Path) -> None:
    write_config(tmp_path, account_specs(2), URL)
    (tmp_path / "secrets.toml").chmod(0o644)
    write_config(tmp_path, account_specs(1), URL)
    assert (tmp_path / "secrets.toml").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accounts.toml", "secrets.toml"]


@pytest.mark.parametrize("name", ["accounts.toml", "secrets.toml"])
def test_foreign_files_are_not_replaced(tmp_path: Path, name: str) -> None:
    """They may hold real keys. Neither file is written then."""
    (tmp_path / name).write_text('[alpha]\nkey_id = "mine"\n')
    with pytest.raises(ConfigError, match=f"{name} was not written by a simulator") as error:
        write_config(tmp_path, account_specs(1), URL)
    assert "another directory" in error.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert "mine" in (tmp_path / name).read_text()


def test_empty_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").touch()
    assert write_config(tmp_path, account_specs(1), URL).read_text()


def test_unusable_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file") as error:
        write_config(tmp_path / "file", account_specs(1), URL)
    assert "--write-config" in error.value.remedy


def test_labels_are_words_and_then_numbers() -> None:
    labels = [preset_label(index) for index in range(1000)]
    assert labels[:3] == ["alpha", "bravo", "charlie"]
    assert labels[25:27] == ["zulu", "account_27"]
    assert len({label.lower() for label in labels}) == 1000


def test_tiers_vary() -> None:
    specs = account_specs(8)
    assert len({spec.cash for spec in specs}) > 2
    assert {spec.multiplier for spec in specs} == {"1", "2", "4"}
