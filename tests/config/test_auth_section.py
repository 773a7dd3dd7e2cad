from pathlib import Path

import pytest

from realtime.auth.keys import Key
from realtime.auth.tokens import TokenRules
from tests.auth.made import SECRET
from tests.config.conftest import KEYS, Folder

ONE = "[accounts.alpha]\n"
WIDE = '[server]\nhost = "0.0.0.0"\n'


def with_secret(folder: Folder, mode: int = 0o600, content: bytes = SECRET) -> None:
    path = folder.root / "token.secret"
    path.write_bytes(content + b"\n")
    path.chmod(mode)


def test_a_secret_file_allows_any_address(folder: Folder) -> None:
    with_secret(folder)
    settings = folder.load(f'{WIDE}[auth]\nsecret_file = "token.secret"\n{ONE}')
    assert settings.auth is not None
    assert settings.auth.keys == (Key(algorithm="HS256", material=SECRET),)
    assert settings.auth.rules == TokenRules(leeway_s=30)
    assert not settings.auth.open_ops
    assert SECRET.decode() not in repr(settings)


def test_rules_are_read(folder: Folder) -> None:
    with_secret(folder)
    rules = 'audience = "board"\nissuer = "us"\nleeway_s = 5\nopen_ops = true\n'
    settings = folder.load(f'[auth]\nsecret_file = "token.secret"\n{rules}{ONE}')
    assert settings.auth is not None
    assert settings.auth.rules == TokenRules(audience="board", issuer="us", leeway_s=5)
    assert settings.auth.open_ops


def test_a_secret_that_others_can_read_is_refused(folder: Folder) -> None:
    with_secret(folder, 0o640)
    said = folder.complaint(f'[auth]\nsecret_file = "token.secret"\n{ONE}')
    assert "token.secret is readable by others (mode 640)" in said
    assert "chmod 600" in said


def test_a_short_secret_is_refused_and_not_shown(folder: Folder) -> None:
    with_secret(folder, content=b"hunter2")
    said = folder.complaint(f'[auth]\nsecret_file = "token.secret"\n{ONE}')
    assert "secret of 7 bytes" in said
    assert "hunter2" not in said


def test_secret_from_systemd_credentials(folder: Folder) -> None:
    given = folder.root / "credentials"
    given.mkdir()
    (given / "token.secret").write_bytes(SECRET)
    settings = folder.load(
        f'[auth]\nsecret_file = "token.secret"\n{ONE}', KEYS | {"CREDENTIALS_DIRECTORY": str(given)}
    )
    assert settings.auth is not None
    assert settings.auth.keys


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("", "found none of them"),
        ('secret_file = "a"\njwks_url = "https://b.example/k"', "found secret_file, jwks_url"),
        ('secret_file = "missing"', "missing not found (auth.secret_file)"),
        ('jwks_url = "http://b.example/k"', "could be replaced in transit"),
        ('jwks_url = "https://b.example/k?x=1"', "remove the query"),
        ('secretfile = "a"', "did you mean `secret_file`"),
        ("leeway_s = 301", "expected 0–300"),
        ('open_ops = "yes"', "expected true or false"),
    ],
)
def test_mistakes_are_reported(folder: Folder, section: str, words: str) -> None:
    assert words in folder.complaint(f"[auth]\n{section}\n{ONE}")


def test_an_invalid_section_does_not_disable_authentication(folder: Folder) -> None:
    assert "auth: one of" in folder.complaint(f"{WIDE}[auth]\n{ONE}")


def test_limits_log_and_hosts(folder: Folder) -> None:
    settings = folder.load(
        '[server]\nhosts = ["Board.example", "10.0.0.1"]\naccount_metrics = true\n'
        "[limits]\nrequests_per_s = 5\nconnections_per_address = 6\n"
        f'[log]\nlevel = "debug"\nformat = "json"\nfile = "log/realtime.log"\n{ONE}'
    )
    assert settings.server.hosts == ("board.example", "10.0.0.1")
    assert settings.server.account_metrics
    assert settings.limits.requests_per_s == 5
    assert settings.limits.connections_per_address == 6
    assert settings.log.file == Path("log/realtime.log")
    assert (settings.log.level, settings.log.format) == ("debug", "json")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('[server]\nhosts = "x"\n', "expected a list of names"),
        ('[server]\nhosts = ["x/y"]\n', "expected a name such as"),
        ("[limits]\nrequests_per_s = 0\n", "expected 1–"),
        ('[log]\nlevel = "loud"\n', "expected debug, info"),
    ],
)
def test_wrong_limits_are_reported(folder: Folder, section: str, words: str) -> None:
    assert words in folder.complaint(f"{section}{ONE}")
