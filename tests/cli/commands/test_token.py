from pathlib import Path

import pytest

from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules, verify_token
from tests.auth.made import SECRET
from tests.cli.programs import run

pytestmark = pytest.mark.slow  # each starts a process

USAGE_ERROR = 2


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "token.secret").write_bytes(SECRET)
    (tmp_path / "token.secret").chmod(0o600)
    path = tmp_path / "accounts.toml"
    path.write_text('[auth]\nsecret_file = "token.secret"\naudience = "board"\n[accounts.alpha]\n')
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text("[accounts.alpha]\n")
    return path


async def test_a_token_of_the_configuration(config: Path) -> None:
    """It wants no broker's keys."""
    answer = await run(
        *("token", "--config", str(config), "--account", "alpha", "--permission", "trading")
    )
    assert (answer.code, answer.err) == (0, "")
    rules = TokenRules(audience="board")
    holder = verify_token(answer.out.strip(), parse_secrets(SECRET), rules, now=1_000_000_000.0)
    assert (holder.user_id, sorted(holder.accounts or ())) == ("developer", ["alpha"])
    assert holder.permissions == frozenset({"trading"})


async def test_without_a_secret_there_is_no_token(bare: Path) -> None:
    answer = await run("token", "--config", str(bare))
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "set `[auth] secret_file`" in answer.err


async def test_a_secret_that_others_can_read_is_not_used(config: Path) -> None:
    (config.parent / "token.secret").chmod(0o644)
    answer = await run("token", "--config", str(config))
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "readable by others" in answer.err
