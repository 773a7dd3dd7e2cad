"""`[market]`: whose key, which addresses, and that keys go to no other host."""

from pathlib import Path

import pytest

from realtime.config.settings import MarketSettings, MarketTls
from tests.config.conftest import KEYS, Folder

A = "[accounts.alpha]\n"
SIM = 'trading_url = "http://127.0.0.1:8091"\n'
PERSONAL = {
    **KEYS,
    "ALPACA_PERSONAL_KEY_ID": "PKPERSONAL",
    "ALPACA_PERSONAL_SECRET_KEY": "personalSecret",
}


def market(folder: Folder, content: str, environ: dict[str, str] = KEYS) -> MarketSettings:
    settings = folder.load(content, environ).market
    assert settings is not None
    return settings


def test_without_the_section_there_is_no_market_data(folder: Folder) -> None:
    assert folder.load(A, PERSONAL).market is None


def test_the_default_is_the_first_enabled_paper_account(folder: Folder) -> None:
    found = market(
        folder,
        f"[market]\n[accounts.live]\npaper = false\nenabled = false\n{A}",
    )
    assert (found.account, found.is_default_account) == ("alpha", True)
    assert found.credentials.key_id.reveal() == "PKEXAMPLE01"
    assert (found.data_url, found.stream_url) == (
        "https://data.alpaca.markets",
        "wss://stream.data.alpaca.markets",
    )


def test_the_personal_key_takes_precedence_over_the_default(folder: Folder) -> None:
    found = market(folder, f"[market]\n{A}", PERSONAL)
    assert (found.account, found.is_default_account) == ("personal", False)
    assert found.credentials.key_id.reveal() == "PKPERSONAL"


def test_a_named_key_may_be_in_the_secrets_file_without_an_account(folder: Folder) -> None:
    folder.write("secrets.toml", '[quotes]\nkey_id = "PKQ"\nsecret_key = "hidden"\n')
    found = market(folder, f"[market]\naccount = 'quotes'\n{A}", PERSONAL)
    assert (found.account, found.credentials.source) == ("quotes", "secrets.toml")


def test_a_disabled_account_may_lend_its_key(folder: Folder) -> None:
    content = f"[market]\naccount = 'spare'\n{A}[accounts.spare]\nenabled = false\n{SIM}"
    folder.write("secrets.toml", '[spare]\nkey_id = "PKS"\nsecret_key = "hidden"\n')
    found = market(folder, content)
    assert (found.account, found.data_url) == ("spare", "http://127.0.0.1:8091")


@pytest.mark.parametrize(
    ("lines", "addresses"),
    [
        (("", SIM), ("http://127.0.0.1:8091", "ws://127.0.0.1:8091")),
        (
            ("", 'trading_url = "https://broker-api.sandbox.alpaca.markets"\n'),
            ("https://data.sandbox.alpaca.markets", "wss://stream.data.sandbox.alpaca.markets"),
        ),
        (('data_url = "http://[::1]:9"\n', ""), ("http://[::1]:9", "ws://[::1]:9")),
        (
            ('stream_url = "wss://127.0.0.1:9/proxy/"\n', ""),
            ("https://data.alpaca.markets", "wss://127.0.0.1:9/proxy"),
        ),
    ],
)
def test_addresses_follow_the_account(
    folder: Folder, lines: tuple[str, str], addresses: tuple[str, str]
) -> None:
    found = market(folder, f"[market]\n{lines[0]}{A}{lines[1]}")
    assert (found.data_url, found.stream_url) == addresses


def test_a_tls_listener_has_a_port_and_two_files_beside_the_file(folder: Folder) -> None:
    found = market(
        folder,
        "[market]\ntls_port = 8443\ntls_certificate_file = 'tls/c.pem'\ntls_key_file = 'k.pem'\n"
        + A,
    )
    expected = MarketTls(port=8443, certificate_file=Path("tls/c.pem"), key_file=Path("k.pem"))
    assert found.tls == expected


def test_the_address_of_the_cache_is_a_secret(folder: Folder) -> None:
    found = market(folder, f"[market]\ncache_url = 'redis://:pass@127.0.0.1:6379/0'\n{A}")
    assert "pass" not in repr(found)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("market = 1", "market: expected a table"),
        ("[market]\nfeeds = 'iex'", "market.feeds: unknown key\n  remedy: did you mean `feed`?"),
        ("[market]\nfeed = 'otc'", "market.feed: expected auto, sip, iex, delayed_sip, got"),
        ("[market]\naccount = 'a b'", "market.account: expected a label"),
        ("[market]\naccount = 'quotes'", 'market: account "quotes": no key'),
        ("[market]\ndata_url = 'https://x.example'", "the keys would be sent to x.example"),
        ("[market]\nstream_url = 'wss://x.example'", "the keys would be sent to x.example"),
        ("[market]\nstream_url = 'ws://alpaca.markets'", "would send the keys in clear"),
        ("[market]\nstream_url = 'https://127.0.0.1'", 'an address such as "wss://host:port"'),
        ("[market]\ncache_url = 'http://x'", 'an address such as "redis://'),
        ("[market]\ntls_port = 1", "TLS needs tls_certificate_file, tls_key_file too"),
    ],
)
def test_each_mistake_has_its_sentence(folder: Folder, content: str, expected: str) -> None:
    assert expected in folder.complaint(f"{content}\n{A}")


def test_without_a_paper_account_the_key_must_be_named(folder: Folder) -> None:
    keys = {"ALPACA_ALPHA_KEY_ID": "AKEXAMPLE01", "ALPACA_ALPHA_SECRET_KEY": "s"}
    said = folder.complaint(f"[market]\n{A}paper = false\n", keys)
    assert "market: no account whose key could be used" in said


def test_half_of_the_personal_key_is_refused(folder: Folder) -> None:
    said = folder.complaint(f"[market]\n{A}", {**KEYS, "ALPACA_PERSONAL_KEY_ID": "PK"})
    assert "ALPACA_PERSONAL_KEY_ID is set but ALPACA_PERSONAL_SECRET_KEY is not" in said
