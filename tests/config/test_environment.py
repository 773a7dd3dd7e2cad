"""Variables that nothing uses, and variables with quotes."""

import pytest

from realtime.config.environment import find_quoted_variables, find_unused_variables
from tests.config.conftest import KEYS, ONE, Folder

TWO = ONE + "[accounts.bravo]\nenabled = false\n"


@pytest.mark.parametrize(
    ("environ", "facts"),
    [
        ({}, []),
        (
            {"ALPACA_API_KEY": "PK1", "ALPACA_SECRET_KEY": "s", "ALPACA_BASE_URL": "https://x"},
            ["found ALPACA_API_KEY in", "found ALPACA_SECRET_KEY in", "found ALPACA_BASE_URL in"],
        ),
        (
            {"APCA_API_KEY_ID": "PK1", "ALPACA_API_KEY": "PK1"},
            ["found APCA_API_KEY_ID, ALPACA_API_KEY in"],
        ),
        ({"APCA_API_SECRET_KEY": "s"}, ["found APCA_API_SECRET_KEY in"]),
        ({"APCA_API_KEY_ID": "PKUSED", "APCA_API_SECRET_KEY": "s"}, []),
        ({"ALPACA_API_KEY_ID": "PK1"}, ["found ALPACA_API_KEY_ID in"]),
        ({"ALPACA_ALPAH_KEY_ID": "PK1"}, ["ALPACA_ALPAH_KEY_ID is set but belongs to no account"]),
        ({"ALPACA_ALPHA_KEY_ID": "PK1"}, []),
    ],
)
def test_unused_variables(environ: dict[str, str], facts: list[str]) -> None:
    problems = find_unused_variables(["alpha", "bravo"], {"PKUSED"}, environ)
    assert len(problems) == len(facts)
    for problem, fact in zip(problems, facts, strict=True):
        assert problem.message.startswith(fact)
        assert problem.remedy


def test_the_remedy_names_the_only_account() -> None:
    environ = {"ALPACA_API_KEY": "PK1"}
    [one] = find_unused_variables(["my-acc"], set(), environ)
    assert "`ALPACA_MY_ACC_KEY_ID`" in one.remedy
    [several] = find_unused_variables(["a", "b"], set(), environ)
    assert "`ALPACA_<LABEL>_KEY_ID`" in several.remedy


def test_an_account_may_have_such_a_label() -> None:
    environ = {"ALPACA_API_KEY_ID": "PK1", "ALPACA_API_SECRET_KEY": "s"}
    assert find_unused_variables(["api"], set(), environ) == []


def test_the_hint_is_a_warning_or_beside_the_error(folder: Folder) -> None:
    environ = {"ALPACA_API_KEY": "PKOTHER", "ALPACA_SECRET_KEY": "s"}
    assert len(folder.load(TWO, KEYS | environ).warnings) == 2
    complaint = folder.complaint(TWO, environ)
    assert "found ALPACA_API_KEY in the environment" in complaint
    assert "PKOTHER" not in complaint


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    "name",
    ["ALPACA_ALPHA_KEY_ID", "ALPACA_ALPHA_SECRET_KEY", "REALTIME_PORT", "REALTIME_LOG_LEVEL"],
)
def test_quotes_kept_by_env_file_are_reported(folder: Folder, name: str, quote: str) -> None:
    """`docker run --env-file` keeps the quotes that a shell would remove."""
    complaint = folder.complaint(environ=KEYS | {name: f"{quote}18222{quote}"})
    assert f"{name} has quotes around its value" in complaint
    assert "--env-file" in complaint


def test_quotes_of_other_programs_are_not_ours() -> None:
    others = {"PATH": '"x"', "ALPACA_NOTE": '"x"', "REALTIME_X": '"', "REALTIME_Y": "'a\""}
    assert find_quoted_variables(others) == []
