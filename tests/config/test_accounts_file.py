"""Each slip in accounts.toml has a sentence of its own."""

import pytest

from tests.config.conftest import Folder

A = "accounts.toml: accounts.alpha"
MISTAKES = [
    ("[accounts.alpha]\npapre = false", f"{A}.papre: unknown key\n  remedy: did you mean `paper`?"),
    ("[accounts.alpha]\nPaper = false", f"{A}.Paper: unknown key\n  remedy: did you mean `paper`?"),
    ("[accounts.alpha]\nzzz = 1", f"{A}.zzz: unknown key\n  remedy: known here: name, tier, "),
    (
        '[accounts.alpha]\nkey_id = "PKX"',
        f"{A}.key_id: unknown key\n  remedy: keys go into secrets.toml or the environment",
    ),
    ('[accounts.alpha]\npaper = "no"', f'{A}.paper: expected true or false, got "no"'),
    ("[accounts.alpha]\nenabled = 1", f"{A}.enabled: expected true or false, got 1"),
    ("[accounts.alpha]\nname = 3.5", f"{A}.name: expected text in quotes, got 3.5"),
    ('[accounts.alpha]\nname = ""', f'{A}.name: expected 1–200 printable characters, got ""'),
    (
        '[accounts.alpha]\ntier = "a\\u001bb"',
        f'{A}.tier: expected 1–200 printable characters, got "a\\u001bb"',
    ),
    (
        "[accounts.alpha]\ninitial_balance = 100000",
        f'{A}.initial_balance: expected a decimal in quotes such as "100000", got 100000',
    ),
    ('[accounts.alpha]\ninitial_balance = "0.00"', f"{A}.initial_balance: expected a decimal"),
    ('[accounts.alpha]\ninitial_balance = "NaN"', f"{A}.initial_balance: expected a decimal"),
    ('[accounts.alpha]\ninitial_balance = "1e9"', f"{A}.initial_balance: expected a decimal"),
    ("[accounts.alpha]\nmax_connections = 0", f"{A}.max_connections: expected 1–100, got 0"),
    ("[accounts.alpha]\nmax_connections = true", f"{A}.max_connections: expected 1–100, got true"),
    ('[accounts.alpha]\naccount_number = "PA 1"', f"{A}.account_number: expected the broker's"),
    ("accounts = 5", "accounts.toml: accounts: expected tables, got 5"),
    ("[accounts]\nalpha = 5", f"{A}: expected a table, got 5"),
    ("[accounts]", "accounts.toml: no account\n  remedy: add one: [accounts.<label>]"),
    ("", "accounts.toml: no account"),
    ("server = []\n[accounts.alpha]", "accounts.toml: server: expected a table, got a list"),
    ("[server]\nport = 99999\n[accounts.alpha]", "server.port: expected 1–65535, got 99999"),
    ("[server]\nprot = 1\n[accounts.alpha]", "server.prot: unknown key\n  remedy: did you mean `p"),
    (
        "[alpaca]\nstartup_concurrency = -1\n[accounts.alpha]",
        "accounts.toml: alpaca.startup_concurrency: expected 1–1000, got -1",
    ),
    (
        '[server]\ncors_origins = ["*"]\n[accounts.alpha]',
        'server.cors_origins: "*" would let every web page read the accounts',
    ),
    ('[server]\ncors_origins = ["x"]\n[accounts.alpha]', "cors_origins: expected an address such"),
    ('[server]\ncors_origins = "x"\n[accounts.alpha]', "expected a list of origins, got"),
    (
        "[alpha]\n[accounts.bravo]",
        "accounts.toml: alpha: unknown key\n  remedy: did you mean `alpaca`? an account is a "
        "table [accounts.alpha]",
    ),
    ('[accounts."my acc"]', 'accounts.toml: accounts."my acc": not a label'),
    (
        '[books]\nother = "x-"\n[accounts.alpha]',
        "accounts.toml: books.other: not a name of a book",
    ),
    (
        '[books]\na = "x-"\nb = "x-"\n[accounts.alpha]',
        "accounts.toml: books.b: another book has this prefix",
    ),
    ('[books]\na = ""\n[accounts.alpha]', "books.a: expected a prefix such as"),
    ("books = 3\n[accounts.alpha]", "accounts.toml: books: expected a table, got 3"),
    (
        '[tiers.tiny]\nrisk_pct = "0"\n[accounts.alpha]',
        "tiers.tiny.risk_pct: expected more than 0 and at most 10000 per cent",
    ),
    ("[tiers.tiny]\nrisk = 5\n[accounts.alpha]", "tiers.tiny.risk: unknown key"),
    ("[tiers.tiny]\nmax_contracts = 0\n[accounts.alpha]", "max_contracts: expected 1–1000000"),
    ("[accounts._a]", "accounts.toml: accounts._a: not a label"),
    (f"[accounts.{'a' * 65}]", f"accounts.toml: accounts.{'a' * 65}: not a label"),
    ('[accounts."é"]', 'accounts.toml: accounts."é": not a label'),
    ("[accounts.a-b]\n[accounts.a_b]", 'labels "a-b" and "a_b" both read ALPACA_A_B_KEY_ID'),
    ("[accounts.Alpha]\n[accounts.alpha]", 'labels "Alpha" and "alpha" differ only in case'),
]


@pytest.mark.parametrize(("content", "expected"), MISTAKES, ids=[case[0] for case in MISTAKES])
def test_mistakes_are_reported_with_their_place(
    folder: Folder, content: str, expected: str
) -> None:
    assert expected in folder.complaint(content)


URLS = [
    ("http://192.168.1.5:8091", "plain http would send the keys in clear"),
    ("http://broker.example", "plain http would send the keys in clear"),
    ("ftp://127.0.0.1", "expected an address such as"),
    ("127.0.0.1:8091", "expected an address such as"),
    ("https://", "expected an address such as"),
    ("https://[::1", "expected an address such as"),
    ("https://x:99999", "expected an address such as"),
    ("https://x:0", "expected an address such as"),
    ("https://ex ample.com", "expected an address such as"),
    ("https://x/?a=b", "and nothing after it"),
    ("https://x/#", "and nothing after it"),
    ("https://paper-api.alpaca.markets/v2/", "ends in /v2\n  remedy: leave /v2 out"),
    ("https://PKEXAMPLE:hidden@x", "the address contains a name or password"),
    ("https://api.alpaca.markets", "trading_url is the live broker, but paper is true"),
    ("https://API.alpaca.markets:443", "trading_url is the live broker, but paper is true"),
]


@pytest.mark.parametrize(("url", "expected"), URLS)
def test_unusable_trading_urls_are_refused(folder: Folder, url: str, expected: str) -> None:
    said = folder.complaint(f'[accounts.alpha]\ntrading_url = "{url}"')
    assert expected in said
    assert "hidden" not in said


def test_real_money_must_be_explicit(folder: Folder) -> None:
    keys = {"ALPACA_ALPHA_KEY_ID": "AKEXAMPLE", "ALPACA_ALPHA_SECRET_KEY": "s3cr3t"}
    (account,) = folder.load("[accounts.alpha]\npaper = false", keys).accounts
    assert account.trading_url == "https://api.alpaca.markets"
    said = folder.complaint(
        '[accounts.alpha]\npaper = false\ntrading_url = "https://paper-api.alpaca.markets"', keys
    )
    assert "trading_url is the paper broker, but paper is false" in said


@pytest.mark.parametrize(
    "url",
    [
        "https://api.alpaca.markets.evil.example", "https://evil-alpaca.markets",
        "https://paper-api.alpaca.market", "https://proxy.example:8443", "https://192.0.2.7",
    ],
)  # fmt: skip
def test_keys_are_sent_to_alpaca_and_this_machine_only(folder: Folder, url: str) -> None:
    """Another host must be named beside the address, or in `[alpaca]`."""
    account = f'[accounts.alpha]\ntrading_url = "{url}"\n'
    complaint = folder.complaint(account)
    assert "accounts.alpha: trading_url is neither Alpaca's nor this machine's" in complaint
    host = url.removeprefix("https://").partition(":")[0]
    assert f'set `allow_host = "{host}"`' in complaint
    allowed = folder.load(account + f'allow_host = "{host}"\n')
    assert allowed.accounts[0].trading_url == url
    section = f'[alpaca]\nallow_host = ["other.example", "{host}"]\n'
    assert folder.load(section + account).accounts[0].trading_url == url
    assert "neither Alpaca's" in folder.complaint(account + 'allow_host = "other.example"\n')


@pytest.mark.parametrize(
    "url",
    [
        "https://paper-api.alpaca.markets", "https://broker-api.sandbox.alpaca.markets",
        "http://127.0.0.1:8091", "http://localhost:8091", "http://[::1]:8091",
    ],
)  # fmt: skip
def test_hosts_that_need_no_permission(folder: Folder, url: str) -> None:
    loaded = folder.load(f'[accounts.alpha]\ntrading_url = "{url}"\n')
    assert loaded.accounts[0].trading_url == url
