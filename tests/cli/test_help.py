"""`--help` is quick, complete, and does not depend on any command's module."""

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from realtime import __version__, cli
from realtime.errors import BrokerError, ConfigError, LinkError, RateLimited, Refused

HEAVY = ("aiohttp", "websockets", "structlog", "uvloop", "rich", "asyncio")
BUILT = [
    name
    for name in cli.COMMANDS
    if (Path(cli.__file__).parent / "commands" / f"{name}.py").exists()
]


def realtime(*args: str, program: str = "") -> subprocess.CompletedProcess[str]:
    start = ["-c", program] if program else ["-m", "realtime"]
    return subprocess.run(
        [sys.executable, *start, *args], capture_output=True, text=True, timeout=20, check=False
    )


def test_help_names_every_command() -> None:
    answer = realtime("--help")
    assert answer.returncode == cli.FINE
    for name, what in cli.COMMANDS.items():
        assert f"  {name} " in answer.stdout
        assert what in answer.stdout


def test_version() -> None:
    answer = realtime("--version")
    assert (answer.stdout, answer.returncode) == (f"realtime {__version__}\n", cli.FINE)


@pytest.mark.parametrize("command", ["", *BUILT])
def test_help_imports_nothing_heavy(command: str) -> None:
    """Imports are what start-up costs: aiohttp alone is more than the whole of `--help`."""
    program = (
        "import sys\nfrom realtime.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"except SystemExit: print('imported', [m for m in {HEAVY} if m in sys.modules])"
    )
    answer = realtime(*filter(None, [command]), "--help", program=program)
    assert "Usage: realtime" in answer.stdout, answer.stderr
    assert "imported []" in answer.stdout


def test_help_is_quick() -> None:
    """Under 100 ms on top of an empty interpreter, in processor time: neighbours do not count."""

    def best(*args: str) -> float:
        took = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *args], stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(took)

    assert best("-m", "realtime", "--help") < best("-c", "pass") + 0.1


@pytest.mark.parametrize(
    "args", [["dmo"], ["--nonsense"], ["status", "--nonsense"], ["status", "too", "many"], []]
)
def test_misuse_is_exit_code_2_and_one_usage(args: list[str]) -> None:
    answer = realtime(*args)
    assert answer.returncode == cli.MISUSED
    assert "Usage: realtime" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_command_that_is_not_built_yet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "absent", "Not there.")
    with pytest.raises(SystemExit) as left:
        cli.main(["absent"])
    assert left.value.code == cli.MISUSED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), cli.MISUSED),
        (LinkError("x"), cli.UNREACHABLE),
        (RateLimited("x"), cli.UNREACHABLE),
        (Refused("x"), cli.FAILED),
        (BrokerError("x", status=500, code=None, body=b""), cli.FAILED),
    ],
)
def test_each_kind_of_trouble_has_its_exit_code(error: BrokerError, code: int) -> None:
    assert cli.exit_code(error) == code


def test_an_error_is_a_sentence_and_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise ConfigError("the fact", remedy="the remedy")

    monkeypatch.setattr(cli, "_imported", lambda name: command)
    with pytest.raises(SystemExit) as left:
        cli.main(["run"])
    assert left.value.code == cli.MISUSED
    assert capsys.readouterr().err == "the fact\n  remedy: the remedy\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = f"{shlex.quote(sys.executable)} -m realtime --help | head -n 1"
    answer = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert answer.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    program = f"{shlex.quote(sys.executable)} -m realtime --version {closed}"
    assert subprocess.run(["sh", "-c", program], timeout=20, check=False).returncode == cli.FINE
