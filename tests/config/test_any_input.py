"""Whatever the files hold, the answer is settings or one error, never a traceback, never a key."""

import contextlib
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.config import load
from realtime.config.accounts_file import ACCOUNT, ALPACA, SERVER, Checks, read_accounts_file
from realtime.config.keys import read_secrets
from realtime.config.problems import InvalidConfig
from realtime.errors import ConfigError

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.builds(lambda: 1 << 20_000)
    | st.floats()
    | st.text(max_size=30)
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["127.0.0.1", "http://localhost:1", "https://[", "1.5", "x" * 5000])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4
)


def table(known: Checks) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(sorted(known)) | st.text(), values)


whole_files = st.fixed_dictionaries(
    {},
    optional={
        "server": table(SERVER) | values,
        "alpaca": table(ALPACA) | values,
        "accounts": st.dictionaries(st.text() | st.just("alpha"), table(ACCOUNT) | values) | values,
        "other": values,
    },
)


@given(whole_files)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_value_at_any_key_is_read_or_reported(tables: dict[str, object]) -> None:
    content, reading = read_accounts_file(tables, Path("accounts.toml"))
    said = str(InvalidConfig(reading.problems)) if reading.problems else ""
    assert said or content.accounts
    assert all(ord(letter) >= 32 or letter == "\n" for letter in said)


@given(
    accounts=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()),
    secrets=st.text(max_size=100),
    environ=st.dictionaries(
        st.sampled_from(["REALTIME_PORT", "REALTIME_HOST", "ALPACA_A_KEY_ID"]),
        st.text(max_size=30),
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_settings_or_one_error(
    tmp_path: Path, accounts: bytes, secrets: str, environ: dict[str, str]
) -> None:
    (tmp_path / "accounts.toml").write_bytes(b"[accounts.a]\n" + accounts)
    (tmp_path / "secrets.toml").write_text(secrets, newline="")
    (tmp_path / "secrets.toml").chmod(0o600)
    with contextlib.suppress(ConfigError):  # anything else fails the test
        load(tmp_path / "accounts.toml", environ=environ)


@given(
    key=st.text(alphabet="ABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=12, max_size=40),
    around=st.tuples(*[st.text(alphabet="\"'[]{}=.#\n\\ ax", max_size=4)] * 4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_report_on_secrets_contains_a_word_of_them(
    tmp_path: Path, key: str, around: tuple[str, str, str, str]
) -> None:
    path = tmp_path / "secrets.toml"
    path.touch(0o600)
    for content in (f"[alpha]\nkey_id = {key}", f"[alpha]\nkey_id = '{key}'", key, f"[{key}]"):
        path.write_text(content.replace(key, key.join(around)), newline="")
        found = read_secrets(path, ["alpha"], {})
        assert key not in "".join(str(problem) for problem in found.problems)
