"""`.env` beside the accounts file: used where the environment has nothing, reported, private."""

import pytest

from realtime.config.env_file import read_env_file
from realtime.config.loader import load_environ
from tests.config.conftest import KEYS, ONE, Folder

TEXT = "ALPACA_ALPHA_KEY_ID=PKFROMFILE\nALPACA_ALPHA_SECRET_KEY='fr0m$FILE'\nREALTIME_PORT=18220\n"


def test_keys_and_port_are_read_and_reported(folder: Folder) -> None:
    folder.write(".env", TEXT)
    settings = folder.load(environ={})
    credentials = settings.accounts[0].credentials
    assert credentials is not None
    assert (credentials.key_id.reveal(), credentials.source) == ("PKFROMFILE", ".env")
    assert credentials.secret_key.reveal() == "fr0m$FILE"  # nothing is expanded
    assert settings.server.port == 18220
    assert settings.notices == (
        ".env is used for ALPACA_ALPHA_KEY_ID, ALPACA_ALPHA_SECRET_KEY, REALTIME_PORT",
    )
    assert "PKFROMFILE" not in str(settings)


def test_the_environment_wins(folder: Folder) -> None:
    """An empty variable of the environment counts as not set."""
    folder.write(".env", TEXT)
    settings = folder.load(environ={**KEYS, "REALTIME_PORT": ""})
    credentials = settings.accounts[0].credentials
    assert credentials is not None
    assert (credentials.key_id.reveal(), credentials.source) == ("PKEXAMPLE01", "environment")
    assert settings.notices == (".env is used for REALTIME_PORT",)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o602])
def test_a_file_that_others_can_access_is_refused(folder: Folder, mode: int) -> None:
    folder.write(".env", TEXT, mode)
    complaint = folder.complaint()
    assert ".env is " in complaint
    assert "chmod 600 .env" in complaint
    assert load_environ(None, {}) == {}


@pytest.mark.parametrize("content", [b"\xff\xfeA\x00", b"ALPACA\x80=1"])
def test_a_file_that_is_not_text_is_reported(folder: Folder, content: bytes) -> None:
    folder.write(".env", content)
    assert ".env: not UTF-8 text" in folder.complaint()


def test_byte_order_mark_comments_and_empty_values(folder: Folder) -> None:
    folder.write(".env", "\ufeff# keys\nexport REALTIME_PORT=18221 # ours\nREALTIME_HOST=\n\nX\n")
    file = read_env_file(folder.root / "accounts.toml")
    assert file.variables == {"REALTIME_PORT": "18221"}


def test_without_the_file_nothing_changes(folder: Folder) -> None:
    assert folder.load(ONE).notices == ()
    assert load_environ(None, KEYS) == KEYS


def test_missing_keys_of_the_other_half_are_reported(folder: Folder) -> None:
    folder.write(".env", "ALPACA_ALPHA_KEY_ID=PKFROMFILE\n")
    assert "ALPACA_ALPHA_KEY_ID is set but ALPACA_ALPHA_SECRET_KEY is not" in folder.complaint(
        environ={}
    )
