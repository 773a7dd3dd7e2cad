"""`realtime sim` as a program."""

import json
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from realtime.simulator.faults.catalogue import FAULT_TYPES


@contextmanager
def started(*args: str) -> Iterator["subprocess.Popen[str]"]:
    """The program, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime", "sim", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_sim_serves_until_it_is_told_to_stop(tmp_path: Path, how: signal.Signals) -> None:
    args = ("--accounts", "3", "--seed", "9", "--port", "0", "--activity", "50")
    with started(*args, "--write-config", str(tmp_path)) as process:
        line = first_line(process)
        found = re.fullmatch(r"simulator on (http://127\.0\.0\.1:\d+), 3 accounts, seed 9", line)
        assert found, line
        with urlopen(f"{found[1]}/_sim/books") as answer:
            labels = [each["label"] for each in json.load(answer)]
        written = tomllib.loads((tmp_path / "accounts.toml").read_text())["accounts"]
        assert list(written) == labels == ["alpha", "bravo", "charlie"]
        assert {each["trading_url"] for each in written.values()} == {found[1]}
        process.send_signal(how)
        assert process.wait(timeout=60) == 0
        assert process.communicate() == ("", "")


@pytest.mark.slow
def test_sim_ends_with_its_duration() -> None:
    with started("--accounts", "1", "--port", "0", "--duration", "0.1") as process:
        assert "1 account, seed 7" in first_line(process)
        assert process.wait(timeout=10) == 0


@pytest.mark.slow
def test_taken_port_is_said_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("--accounts", "1", "--port", str(port)) as process:
            out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert f"127.0.0.1:{port} is taken by another program" in err
    assert "realtime sim --port" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "args",
    [("--accounts", "0"), ("--port", "99999"), ("--activity", "nan"), ("--market", "mars"), ("x",)],
)
def test_bad_flag_is_a_usage_error(args: tuple[str, ...]) -> None:
    with started(*args) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert "Traceback" not in err


def test_help_names_every_fault() -> None:
    with started("--help") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert set(FAULT_TYPES) <= set(re.findall(r"[a-z_0-9]+", out))


@pytest.mark.slow
def test_labels_and_balance(tmp_path: Path) -> None:
    args = (
        "--labels",
        "CHATGPT, GEMINI,claude_4",
        "--balance",
        "2500.50",
        "--port",
        "0",
        "--activity",
        "0",
    )
    with started(*args, "--write-config", str(tmp_path)) as process:
        line = first_line(process)
        url = line.split()[2].rstrip(",")
        assert "3 accounts" in line
        with urlopen(f"{url}/_sim/books/GEMINI") as answer:
            assert json.load(answer)["account"]["cash"] == "2500.5"
    accounts = tomllib.loads((tmp_path / "accounts.toml").read_text())["accounts"]
    assert list(accounts) == ["CHATGPT", "GEMINI", "claude_4"]
    assert {account["initial_balance"] for account in accounts.values()} == {"2500.50"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--labels", "a,,b"), "--labels: expected LABEL,LABEL,…, got ''"),
        (("--labels", "a b"), "got 'a b'"),
        (("--labels", "alpha,Alpha"), "two labels are the same"),
        (("--balance", "much"), "--balance: expected dollars such as 100000, got 'much'"),
        (("--balance", "-1"), "got '-1'"),
        (("--balance", "NaN"), "got 'NaN'"),
    ],
)
def test_wrong_labels_and_balances_are_usage_errors(args: tuple[str, ...], message: str) -> None:
    with started(*args, "--port", "0") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert message in err
