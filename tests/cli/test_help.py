"""`--help` is fast, complete, and independent of the commands' modules."""

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from realtime import __version__, cli
from realtime.errors import BrokerError, ConfigError, LinkError, RateLimited, RealtimeError, Refused

HEAVY = ("aiohttp", "websockets", "structlog", "uvloop", "rich", "asyncio")
AVAILABLE = [
    name
    for name in cli.COMMANDS
    if (Path(cli.__file__).parent / "commands" / f"{name}.py").exists()
]


def realtime(*args: str, program: str = "") -> subprocess.CompletedProcess[str]:
    start = ["-c", program] if program else ["-m", "realtime"]
    return subprocess.run(
        [sys.executable, *start, *args], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_command() -> None:
    result = realtime("--help")
    assert result.returncode == cli.SUCCESS
    for name, line in cli.COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert line in result.stdout
    headings = [result.stdout.index(f"\n{name}:\n") for name in ("Watch", "Run", "Trade")]
    assert headings == sorted(headings)


def test_version() -> None:
    result = realtime("--version")
    assert (result.stdout, result.returncode) == (f"realtime {__version__}\n", cli.SUCCESS)


@pytest.mark.parametrize("command", ["", *AVAILABLE])
def test_help_imports_nothing_heavy(command: str) -> None:
    """Imports are most of the start: aiohttp alone takes longer than all of `--help`."""
    program = (
        "import sys\nfrom realtime.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"except SystemExit: print('imported', [m for m in {HEAVY} if m in sys.modules])"
    )
    result = realtime(*filter(None, [command]), "--help", program=program)
    assert "Usage: realtime" in result.stdout, result.stderr
    assert "imported []" in result.stdout


def test_help_is_fast() -> None:
    """Under 100 ms more than an empty interpreter, in processor time."""

    def best_s(*args: str) -> float:
        times_s = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *args], stdout=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times_s)

    assert best_s("-m", "realtime", "--help") < best_s("-c", "pass") + 0.1


@pytest.mark.parametrize(
    "args",
    [["dmo"], ["--nonsense"], ["status", "--nonsense"], ["top", "-x"], []],
)
def test_misuse_is_exit_code_2_with_one_usage(args: list[str]) -> None:
    result = realtime(*args)
    assert result.returncode == cli.USAGE_ERROR
    assert "Usage: realtime" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_command_without_a_module_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "absent", "Not there.")
    with pytest.raises(SystemExit) as left:
        cli.main(["absent"])
    assert left.value.code == cli.USAGE_ERROR


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), cli.USAGE_ERROR),
        (LinkError("x"), cli.UNREACHABLE),
        (RateLimited("x"), cli.UNREACHABLE),
        (cli.CommandError("x", exit_code=cli.DENIED), cli.DENIED),
        (Refused("x"), cli.FAILED),
        (BrokerError("x", status=500, code=None, body=b""), cli.FAILED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: RealtimeError, code: int) -> None:
    assert cli.exit_code(error) == code


def test_an_error_is_a_sentence_and_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise ConfigError("the fact", remedy="the remedy")

    monkeypatch.setattr(cli, "_import_command", lambda name: command)
    with pytest.raises(SystemExit) as left:
        cli.main(["run"])
    assert left.value.code == cli.USAGE_ERROR
    assert capsys.readouterr().err == "the fact\n  remedy: the remedy\n"


def test_a_closed_pipe_is_no_error() -> None:
    program = f"{shlex.quote(sys.executable)} -m realtime --help | head -n 1"
    result = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stderr == ""


CLIENT_COMMANDS = ("status", "tail", "reload")


@pytest.mark.parametrize("command", CLIENT_COMMANDS)
def test_client_commands_do_not_import_the_http_library(command: str) -> None:
    """They decode the daemon's documents with its own types, but aiohttp takes 170 ms."""
    program = (
        "import sys\nfrom realtime.cli import main\n"
        "try: main([*sys.argv[1:], '--url', 'http://127.0.0.1:1'])\n"
        "except SystemExit: print('aiohttp' in sys.modules, 'websockets' in sys.modules)"
    )
    result = realtime(command, program=program)
    assert "no daemon at http://127.0.0.1:1" in result.stderr
    assert result.stdout.endswith("False False\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    program = f"{shlex.quote(sys.executable)} -m realtime --version {closed}"
    assert subprocess.run(["sh", "-c", program], timeout=60, check=False).returncode == cli.SUCCESS
