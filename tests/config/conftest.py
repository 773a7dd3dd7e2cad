"""A folder with an accounts file that each test writes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from realtime.config import Settings, load
from realtime.errors import ConfigError

ONE = '[accounts.alpha]\nname = "Primary"\n'
KEYS = {"ALPACA_ALPHA_KEY_ID": "PKEXAMPLE01", "ALPACA_ALPHA_SECRET_KEY": "s3cr3tExample"}


class Folder:
    """The directory of `accounts.toml` and `secrets.toml`; relative paths, as at a prompt."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        path = self.root / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def load(self, accounts: str = ONE, environ: Mapping[str, str] = KEYS) -> Settings:
        self.write("accounts.toml", accounts)
        return load(None, environ=environ)

    def complaint(self, accounts: str = ONE, environ: Mapping[str, str] = KEYS) -> str:
        """Return the error of a configuration that is refused."""
        with pytest.raises(ConfigError) as refused:
            self.load(accounts, environ)
        return str(refused.value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)
