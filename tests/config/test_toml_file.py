"""A file that cannot be read says so in a sentence, and never shows what stands in it."""

from pathlib import Path

import pytest

from realtime.config import load
from realtime.errors import ConfigError
from tests.config.conftest import KEYS, Folder

SYNTAX = [
    ('[accounts.alpha]\nname = "Pri\n', "accounts.toml, line 2: not TOML (missing quote)"),
    ("[accounts.alpha]\nname = 'Pri\n", "accounts.toml, line 2: not TOML (missing quote)"),
    ('[accounts.alpha]\nname = "Pri', "accounts.toml, line 2: not TOML (missing quote)"),
    ('a = 1\r\nname = "Pri\r\n', "accounts.toml, line 2: not TOML (missing quote)"),
    ("[accounts.alpha]\nname = Pri\n", "line 2: not TOML (text needs quotes"),
    ("[accounts.alpha]\nname\n", "line 2: not TOML (missing =)"),
    ("[accounts.alpha\n", "line 1: not TOML (missing bracket)"),
    ("[a]\n\n[a]\n", "line 3: not TOML (a name is used twice)"),
    ("a = 1\na = 2\n", "line 2: not TOML (a name is used twice)"),
    ("a = 1 b = 2\n", "line 1: not TOML (something follows the value)"),
    ("[accounts.é]\n", "line 1: not TOML (a name with other characters needs quotes)"),
    ("a = [1,\n", "not TOML ("),
    ("a = " + "[" * 5000, "not TOML (nested too deeply)"),
    ("a = " + "9" * 5000, "accounts.toml, line 1: not TOML"),
]


@pytest.mark.parametrize(("content", "expected"), SYNTAX)
def test_a_syntax_error_has_its_line_and_likely_cause(
    folder: Folder, content: str, expected: str
) -> None:
    assert expected in folder.complaint(content)


def test_other_encodings_are_refused_and_a_byte_order_mark_is_not(folder: Folder) -> None:
    folder.write("accounts.toml", b"\xff\xfe[\x00")
    with pytest.raises(ConfigError, match=r"accounts\.toml: not UTF-8 text"):
        load(None, environ=KEYS)
    folder.write("accounts.toml", b"\xef\xbb\xbf[accounts.alpha]\n")
    assert load(None, environ=KEYS).accounts[0].label == "alpha"


@pytest.mark.parametrize("path", [".", "/dev/zero", "a\0b", "x" * 5000])
def test_directories_and_devices_are_refused(folder: Folder, path: str) -> None:
    with pytest.raises(ConfigError):
        load(Path(path), environ=KEYS)


def test_syntax_errors_in_secrets_show_nothing_of_them(folder: Folder) -> None:
    folder.write("secrets.toml", '[alpha]\nkey_id = "PKHIDDEN\nsecret_key = "hidden"\n')
    said = folder.complaint(environ={})
    assert said == "secrets.toml, line 2: not TOML (missing quote)"
