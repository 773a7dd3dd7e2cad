"""Keys: where they are found, and that no message ever holds one."""

from pathlib import Path

import pytest

from realtime.config import load
from tests.config.conftest import KEYS, ONE, Folder

TWO = "[accounts.alpha]\n[accounts.bravo]\n"
SECRETS = '[alpha]\nkey_id = "PKFROMFILE"\nsecret_key = "hiddenInFile"\n'


def found(folder: Folder, environ: dict[str, str]) -> tuple[str, str, str | None]:
    credentials = folder.load(environ=environ).accounts[0].credentials
    assert credentials is not None
    return credentials.key_id.reveal(), credentials.secret_key.reveal(), credentials.source


def test_the_environment_wins_over_the_file(folder: Folder) -> None:
    folder.write("secrets.toml", SECRETS)
    assert found(folder, {}) == ("PKFROMFILE", "hiddenInFile", "secrets.toml")
    assert found(folder, KEYS) == ("PKEXAMPLE01", "s3cr3tExample", "environment")


def test_the_two_halves_of_a_pair_may_come_from_two_places(folder: Folder) -> None:
    folder.write("secrets.toml", '[alpha]\nsecret_key = "hiddenInFile"\n')
    half = {"ALPACA_ALPHA_KEY_ID": "PKEXAMPLE01"}
    assert found(folder, half) == ("PKEXAMPLE01", "hiddenInFile", "environment")


def test_half_a_pair_over_a_whole_one_is_refused(folder: Folder) -> None:
    """Half of one key with half of another would be refused by the broker, far from the cause."""
    folder.write("secrets.toml", SECRETS)
    said = folder.complaint(environ={"ALPACA_ALPHA_KEY_ID": "PKEXAMPLE01"})
    assert said == (
        "ALPACA_ALPHA_KEY_ID is set but ALPACA_ALPHA_SECRET_KEY is not\n"
        "  remedy: keys come in pairs: set both"
    )


def test_half_a_pair_in_the_file_is_refused(folder: Folder) -> None:
    folder.write("secrets.toml", '[alpha]\nkey_id = "PKFROMFILE"\n')
    assert "[alpha] has key_id but no secret_key" in folder.complaint(environ={})


def test_missing_keys_of_one_account_name_both_remedies(folder: Folder) -> None:
    assert folder.complaint(TWO) == (
        'account "bravo": no key\n  remedy: set `ALPACA_BRAVO_KEY_ID` and '
        "`ALPACA_BRAVO_SECRET_KEY`, or `[bravo]` in secrets.toml"
    )


def test_no_keys_at_all_is_one_problem(folder: Folder) -> None:
    assert folder.complaint(TWO, {}).startswith("no keys for 2 accounts; try `realtime demo`")


def test_a_configured_secrets_file_that_is_missing_is_reported(folder: Folder) -> None:
    named = f'[alpaca]\nsecrets_file = "keys/mine.toml"\n{TWO}'
    assert folder.complaint(named) == (
        "keys/mine.toml not found (accounts without a key: 1)\n"
        "  remedy: correct `secrets_file` in [alpaca]"
    )


def test_without_accounts_sections_of_secrets_are_not_reported(folder: Folder) -> None:
    folder.write("secrets.toml", '[alpha]\nkey_id = "x"\nsecret_key = "x"\n')
    assert "secrets.toml" not in folder.complaint("")


def test_a_disabled_account_needs_no_keys(folder: Folder) -> None:
    settings = folder.load(f"{ONE}[accounts.bravo]\nenabled = false\n")
    assert [a.credentials is None for a in settings.accounts] == [False, True]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(folder: Folder, mode: int) -> None:
    folder.write("secrets.toml", SECRETS, mode)
    assert folder.complaint(environ={}) == (
        f"secrets.toml is readable by others (mode {mode:o})\n  remedy: chmod 600 secrets.toml"
    )


def test_systemd_credentials_win_and_keep_their_mode(folder: Folder) -> None:
    folder.write("secrets.toml", SECRETS)
    (folder.root / "credentials").mkdir()
    folder.write("credentials/secrets.toml", SECRETS.replace("FROMFILE", "FROMSYSTEMD"), 0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(folder.root / "credentials")}
    assert found(folder, environ)[0] == "PKFROMSYSTEMD"
    environ = {"CREDENTIALS_DIRECTORY": str(folder.root / "empty")}
    assert found(folder, environ)[0] == "PKFROMFILE"


def test_the_secrets_file_is_beside_the_accounts_file(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("accounts.toml", ONE)
    folder.write("secrets.toml", SECRETS)
    monkeypatch.chdir("/")
    settings = load(folder.root / "accounts.toml", environ={})
    assert settings.alpaca.secrets_file == folder.root / "secrets.toml"


@pytest.mark.parametrize(
    ("key_id", "paper", "expected"),
    [
        ("PKHIDDEN", "false", "the key is for paper trading (PK…) but paper = false"),
        ("AKHIDDEN", "true", "the key is for live trading (AK…) but paper = true"),
    ],
)
def test_a_key_of_the_other_kind_is_refused(
    folder: Folder, key_id: str, paper: str, expected: str
) -> None:
    environ = KEYS | {"ALPACA_ALPHA_KEY_ID": key_id}
    said = folder.complaint(f"[accounts.alpha]\npaper = {paper}\n", environ)
    assert said.startswith(f'account "alpha": {expected}\n  remedy: ')


@pytest.mark.parametrize("paper", ["true", "false"])
def test_a_simulator_key_has_no_kind(folder: Folder, paper: str) -> None:
    environ = KEYS | {"ALPACA_ALPHA_KEY_ID": "demo-alpha"}
    assert folder.load(f"[accounts.alpha]\npaper = {paper}\n", environ).accounts


def test_two_accounts_may_not_share_a_key(folder: Folder) -> None:
    """They would be one account: an order meant for both would be placed twice."""
    shared = {name.replace("ALPHA", "BRAVO"): value for name, value in KEYS.items()}
    said = folder.complaint(TWO, KEYS | shared)
    assert said.startswith('accounts "alpha" and "bravo" have the same key\n  remedy: ')


@pytest.mark.parametrize("bad", ["hid den", "hidden\n", "\thidden", "hidden\u00a0", "hiddén", "\0"])
def test_a_badly_pasted_key_is_refused(folder: Folder, bad: str) -> None:
    said = folder.complaint(environ=KEYS | {"ALPACA_ALPHA_SECRET_KEY": bad})
    assert said.startswith("ALPACA_ALPHA_SECRET_KEY ")
    assert "hid" not in said


SECRETS_SLIPS = [
    ('key_id = "PKHIDDEN"\n', "secrets.toml: a value is outside a section"),
    ('[alpah]\nkey_id = "PKHIDDEN"\n', "[alpah]: no such account\n  remedy: did you mean [alpha]?"),
    ('[PKHIDDEN]\nkey_id = "x"\n', "secrets.toml: a section belongs to no account"),
    ('[alpha]\nPKHIDDEN = "x"\n', "secrets.toml: [alpha]: only key_id and secret_key are allowed"),
    ('[alpha]\nkeyid = "PKHIDDEN"\n', "are allowed here\n  remedy: did you mean `key_id`?"),
    ("[alpha]\nkey_id = 5\n", "secrets.toml: [alpha] key_id expected text in quotes"),
    (
        '[alpha]\nkey_id = ""\nsecret_key = "x"\n',
        "secrets.toml: [alpha] key_id is empty\n  remedy: paste",
    ),
    ('[alpha]\nkey_id = "PKHIDDEN "\n', "secrets.toml: [alpha] key_id contains white space"),
]


@pytest.mark.parametrize(("content", "expected"), SECRETS_SLIPS)
def test_mistakes_in_secrets_show_nothing_of_them(
    folder: Folder, content: str, expected: str
) -> None:
    folder.write("secrets.toml", content)
    said = folder.complaint(environ={})
    assert expected in said
    assert "HIDDEN" not in said


def test_an_unreadable_secrets_file_is_not_also_a_missing_key(folder: Folder) -> None:
    (folder.root / "secrets.toml").mkdir(mode=0o700)
    assert folder.complaint(environ={}) == (
        "secrets.toml cannot be read: is a directory\n  remedy: make it readable for this user"
    )


def test_files_given_by_path_are_named_by_path(folder: Folder) -> None:
    path = Path("sub/secrets.toml")
    path.parent.mkdir()
    folder.write(str(path), SECRETS, 0o644)
    said = folder.complaint('[alpaca]\nsecrets_file = "sub/secrets.toml"\n' + ONE, {})
    assert said.endswith("remedy: chmod 600 sub/secrets.toml")
