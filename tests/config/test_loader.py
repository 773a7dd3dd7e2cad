"""Precedence, the settings of a valid file, and the error of an invalid one."""

from pathlib import Path

import pytest

from realtime.config import PAPER_URL, Settings, load, stream_url
from realtime.config.loader import load_orders, load_server
from realtime.config.problems import InvalidConfig
from realtime.errors import ConfigError
from tests.config.conftest import KEYS, ONE, Folder

REPOSITORY = Path(__file__).parents[2]


def test_a_minimal_file_has_the_defaults(folder: Folder) -> None:
    settings = folder.load("[accounts.alpha]\n")
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8090)
    assert settings.server.cors_origins == ()
    assert settings.alpaca.startup_concurrency == 20
    (account,) = settings.accounts
    assert (account.label, account.name, account.tier) == ("alpha", None, None)
    assert (account.paper, account.enabled, account.max_connections) == (True, True, 4)
    assert account.trading_url == PAPER_URL
    assert account.credentials is not None
    assert account.credentials.key_id.reveal() == "PKEXAMPLE01"
    assert settings.warnings == ()


def test_every_key_of_the_design_is_read(folder: Folder) -> None:
    settings = folder.load(
        """
        [server]
        host = "localhost"
        port = 9000
        cors_origins = ["https://Board.example", "http://127.0.0.1:3000/"]
        [alpaca]
        secrets_file = "keys/secrets.toml"
        startup_concurrency = 7
        [accounts.alpha]
        name = "Primary"
        tier = "premium"
        paper = true
        enabled = true
        initial_balance = "100000.50"
        account_number = "PA0EXAMPLE01"
        max_connections = 2
        trading_url = "http://127.0.0.1:8091/"
        """
    )
    assert settings.server.host == "localhost"
    assert settings.server.cors_origins == ("https://board.example", "http://127.0.0.1:3000")
    assert settings.alpaca.secrets_file == Path("keys/secrets.toml")
    assert settings.alpaca.startup_concurrency == 7
    (account,) = settings.accounts
    assert (account.name, account.tier, account.initial_balance) == (
        "Primary",
        "premium",
        "100000.50",
    )
    assert (account.account_number, account.max_connections) == ("PA0EXAMPLE01", 2)
    assert account.trading_url == "http://127.0.0.1:8091"


def test_the_example_has_six_accounts_and_needs_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(ConfigError) as refused:
        load(None, environ={"CREDENTIALS_DIRECTORY": "/nonexistent"})
    assert str(refused.value) == (
        "no keys for 6 accounts; try `realtime demo`, or see README *Your own accounts*"
    )


def test_the_environment_example_names_the_accounts_of_the_example() -> None:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    environ = {line.rstrip("="): f"PK{n}" for n, line in enumerate(lines) if line[:4] == "ALPA"}
    settings = load(REPOSITORY / "accounts.toml", environ=environ)
    assert [a.label for a in settings.accounts if a.credentials] == [
        "alpha",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
    ]


def test_flag_wins_over_environment_wins_over_file(folder: Folder) -> None:
    folder.write("accounts.toml", '[server]\nport = 1111\nhost = "127.0.0.1"\n' + ONE)

    def port(flag: int | None, **given: str) -> int:
        return load(None, environ=KEYS | given, port=flag).server.port

    assert port(None) == 1111
    assert port(None, REALTIME_PORT="2222") == 2222
    assert port(None, REALTIME_PORT="") == 1111
    assert port(3333, REALTIME_PORT="2222") == 3333
    assert load(None, environ=KEYS | {"REALTIME_HOST": "::1"}).server.host == "::1"
    assert load(None, environ=KEYS | {"REALTIME_HOST": "::1"}, host="127.0.0.9").server.host == (
        "127.0.0.9"
    )


def test_the_path_may_come_from_the_environment(folder: Folder) -> None:
    path = folder.write("mine.toml", ONE)
    assert load(None, environ=KEYS | {"REALTIME_CONFIG": str(path)}).path == path


@pytest.mark.parametrize("value", ["0", "65536", "http", "-1", "8090 ", "٣٣", "9" * 5000])
def test_a_bad_port_in_the_environment_is_reported(folder: Folder, value: str) -> None:
    said = folder.complaint(environ=KEYS | {"REALTIME_PORT": value})
    assert said.startswith("REALTIME_PORT: expected 1–65535, got ")


def test_a_bad_port_flag_is_reported(folder: Folder) -> None:
    folder.write("accounts.toml", ONE)
    with pytest.raises(ConfigError, match="--port: expected 1–65535, got 70000"):
        load(None, environ=KEYS, port=70000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_other_hosts_than_loopback_need_authentication(folder: Folder, host: str) -> None:
    said = folder.complaint(f'[server]\nhost = "{host}"\n{ONE}')
    assert said.startswith(
        f"refusing to listen on {host} without authentication\n  remedy: set `[auth]"
    )
    folder.write("accounts.toml", ONE)
    with pytest.raises(ConfigError, match="refusing to listen"):
        load(None, environ=KEYS, host=host)


def test_a_missing_file_is_reported_with_its_directory(folder: Folder) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, environ={})
    assert refused.value.message == f"accounts.toml not found in {folder.root}"
    assert refused.value.remedy == "`realtime demo` needs none; or `--config PATH`"


def test_all_problems_are_reported_at_once(folder: Folder) -> None:
    folder.write("secrets.toml", "", mode=0o644)
    with pytest.raises(InvalidConfig) as refused:
        folder.load(
            '[server]\nport = 0\nhost = "0.0.0.0"\n[accounts.alpha]\npapre = 1\n[acounts.b]\n'
        )
    assert [problem.message for problem in refused.value.problems] == [
        "accounts.toml: acounts: unknown key",
        "accounts.toml: server.port: expected 1–65535, got 0",
        "accounts.toml: accounts.alpha.papre: unknown key",
        "refusing to listen on 0.0.0.0 without authentication",
        "secrets.toml is readable by others (mode 644)",
    ]
    assert "  remedy: did you mean `paper`?" in str(refused.value).splitlines()


def test_settings_never_print_a_key(folder: Folder) -> None:
    settings: Settings = folder.load()
    assert "PKEXAMPLE01" not in repr(settings)
    assert "s3cr3tExample" not in f"{settings}"


def test_a_key_with_the_sdks_name_is_reported(folder: Folder) -> None:
    settings = folder.load(environ=KEYS | {"APCA_API_KEY_ID": "PKOTHER"})
    assert settings.warnings == (
        "found APCA_API_KEY_ID in the environment but no account uses it: "
        "name it `ALPACA_ALPHA_KEY_ID` (each account has its own pair)",
    )
    assert folder.load(environ=KEYS | {"APCA_API_KEY_ID": "PKEXAMPLE01"}).warnings == ()
    assert "found APCA_API_KEY_ID" in folder.complaint(environ={"APCA_API_KEY_ID": "PKOTHER"})


def test_a_misspelled_variable_is_reported(folder: Folder) -> None:
    (warning,) = folder.load(environ=KEYS | {"ALPACA_ALPAH_KEY_ID": "PKOTHER"}).warnings
    assert warning == (
        "ALPACA_ALPAH_KEY_ID is set but belongs to no account: did you mean `ALPACA_ALPHA_KEY_ID`?"
    )


@pytest.mark.parametrize(
    ("trading_url", "expected"),
    [
        ("https://api.alpaca.markets", "wss://api.alpaca.markets/stream"),
        ("http://127.0.0.1:8091", "ws://127.0.0.1:8091/stream"),
        ("http://[::1]:8091/broker/", "ws://[::1]:8091/broker/stream"),
    ],
)
def test_the_stream_is_beside_the_rest_address(trading_url: str, expected: str) -> None:
    assert stream_url(trading_url) == expected


@pytest.mark.parametrize("host", ["[::1]", "::1", "127.0.0.1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_needs_no_authentication(folder: Folder, host: str) -> None:
    """An IPv6 address may be in brackets, as in a URL; a socket needs it without."""
    loaded = folder.load(f'[server]\nhost = "{host}"\n{ONE}')
    assert loaded.server.host == host.strip("[]")
    assert folder.load(environ=KEYS | {"REALTIME_HOST": host}).server.host == host.strip("[]")


def test_sections_that_need_no_keys_are_read_without(folder: Folder) -> None:
    """The kill switch must work whatever else is wrong."""
    folder.write("accounts.toml", '[server]\nport = 18220\n[orders]\naudit_log = "o"\n[nonsense]\n')
    assert load_server(None, environ={}).port == 18220
    assert load_server(None, environ={"REALTIME_PORT": "18221"}).port == 18221
    assert load_orders(None, environ={}).audit_log == Path("o")


def test_mistakes_in_a_section_are_reported_when_it_is_read_alone(folder: Folder) -> None:
    folder.write("accounts.toml", '[server]\nport = "x"\n[orders]\naudit_log = 1\n')
    with pytest.raises(ConfigError, match=r"server\.port"):
        load_server(None, environ={})
    with pytest.raises(ConfigError, match=r"orders\.audit_log"):
        load_orders(None, environ={})
