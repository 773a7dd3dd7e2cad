"""`[alpaca_api]`: on at a loopback address, elsewhere only behind TLS."""

import pytest

from realtime.config.settings import AlpacaApiSettings
from realtime.errors import ConfigError
from tests.config.conftest import KEYS, Folder

A = "[accounts.alpha]\n"
ELSEWHERE = '[server]\nhost = "192.0.2.1"\n[auth]\nsecret_file = "token.secret"\n'


def section(folder: Folder, content: str) -> AlpacaApiSettings:
    folder.write("token.secret", "development-only-0123456789abcdef")
    return folder.load(content, KEYS).alpaca_api


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_is_on_at_a_loopback_address(folder: Folder, host: str) -> None:
    assert section(folder, A).is_enabled_on(host)
    assert not section(folder, f"[alpaca_api]\nenabled = false\n{A}").is_enabled_on(host)


def test_is_off_at_any_other_address(folder: Folder) -> None:
    settings = section(folder, ELSEWHERE + A)
    assert not settings.is_enabled_on("192.0.2.1")
    assert not settings.is_enabled_on("0.0.0.0")


def test_other_address_needs_tls(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        section(folder, f"[alpaca_api]\nenabled = true\n{ELSEWHERE}{A}")
    assert "192.0.2.1 without TLS" in str(caught.value)
    assert "behind_tls" in str(caught.value)
    content = f"[alpaca_api]\nenabled = true\nbehind_tls = true\n{ELSEWHERE}{A}"
    assert section(folder, content).is_enabled_on("192.0.2.1")


def test_unknown_compat_is_refused(folder: Folder) -> None:
    assert section(folder, f'[alpaca_api]\ncompat = ["pdt"]\n{A}').compat == ("pdt",)
    with pytest.raises(ConfigError):
        section(folder, f'[alpaca_api]\ncompat = ["x"]\n{A}')


def test_idempotent_is_a_flag_and_off_by_default(folder: Folder) -> None:
    assert not section(folder, A).idempotent
    assert section(folder, f"[alpaca_api]\nidempotent = true\n{A}").idempotent
