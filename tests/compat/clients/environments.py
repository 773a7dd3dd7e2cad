"""Environments of other clients, each installed on demand into a cache outside the repository.

The tests that need them run only if REALTIME_CLIENTS is set, as in `.ci/run`. Each folder is named
after the exact version, so that its content never changes.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

PROGRAMS = Path(__file__).parent / "programs"
INSTALL_TIMEOUT_S = 600
# What the two Python clients and npm need of an environment: no project settings leak in.
_KEPT = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY", "https_proxy")


class Client(NamedTuple):
    """A client: the packages to install, and the program that drives it."""

    name: str
    packages: tuple[str, ...]
    program: str

    @property
    def is_node(self) -> bool:
        """Whether it runs on Node."""
        return self.program.endswith((".mjs", ".cjs"))


CLIENTS = (
    Client("legacy-python", ("alpaca-trade-api==3.2.0",), "legacy_python.py"),
    Client("ccxt", ("ccxt==4.5.90",), "ccxt_client.py"),
    Client("js-4", ("@alpacahq/alpaca-trade-api@4.0.2",), "js_4.mjs"),
    Client("mcp", ("alpaca-mcp-server==2.4.0",), "mcp_server.py"),
    Client("js-3", ("@alpacahq/alpaca-trade-api@3.1.3",), "js_3.cjs"),
)


def command_of(client: Client) -> list[str]:
    """Return the command that runs a client's program; skips the test where it cannot run."""
    if not os.environ.get("REALTIME_CLIENTS"):
        pytest.skip(f"{client.name}: set REALTIME_CLIENTS=1 to install and run it")
    if client.is_node and (shutil.which("node") is None or shutil.which("npm") is None):
        pytest.skip(f"{client.name}: node and npm are not installed")
    folder = cache_folder() / _folder_name(client)
    ready = folder / ".ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (_install_node if client.is_node else _install_python)(client, folder)
        ready.touch()
    program = PROGRAMS / client.program
    if client.is_node:
        # Node looks for packages beside the program.
        copy = folder / client.program
        shutil.copyfile(program, copy)
        return ["node", str(copy)]
    return [str(folder / "bin" / "python"), str(program)]


def environment() -> dict[str, str]:
    """Return the environment variables of a client's process."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def cache_folder() -> Path:
    """Return the folder of all environments."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "alpaca-realtime" / "clients"


def _folder_name(client: Client) -> str:
    version = client.packages[0].rpartition("=" if not client.is_node else "@")[2]
    python = f"-py{sys.version_info[0]}{sys.version_info[1]}"
    return f"{client.name}-{version}{'' if client.is_node else python}"


def _install_python(client: Client, folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], folder)
    _run([str(folder / "bin" / "pip"), "install", "--quiet", *client.packages], folder)


def _install_node(client: Client, folder: Path) -> None:
    (folder / "package.json").write_text("{}")
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", *client.packages], folder)


def _run(command: list[str], folder: Path) -> None:
    done: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    result = done(
        command,
        cwd=folder,
        env=environment(),
        timeout=INSTALL_TIMEOUT_S,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        pytest.skip(f"{command[0]} failed: {result.stderr.strip()[-300:]}")
