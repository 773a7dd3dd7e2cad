"""A real PostgreSQL server for tests: Debian's, in a directory of its own, on loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "postgres"
"""The server refuses to run as root; Debian's package makes this user."""


class Server:
    """One server. `stop` and `start` as often as a test likes; the data stays."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self._directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._run("initdb", "-A", "trust", "-U", "realtime", "--no-sync", "-E", "UTF8")

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"postgresql://realtime@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it; returns when it accepts connections."""
        options = f"-h 127.0.0.1 -p {self._port} -k {self._directory.parent}"
        log = self._directory.parent / "log"
        self._run("pg_ctl", "-w", "-t", "30", "-l", str(log), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `immediate` is like a crash."""
        self._run("pg_ctl", "-w", "-t", "30", "-m", mode, "stop")

    def _run(self, program: str, *args: str) -> None:
        command = [str(self._programs / program), "-D", str(self._directory), *args]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        # To a file: a server that was started inherits a pipe, which would never end.
        with (self._directory.parent / "output").open("w") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False,
                cwd=self._directory.parent,
            )  # fmt: skip
        assert done.returncode == 0, (self._directory.parent / "output").read_text()


def programs() -> Path | None:
    """Where the programs of the server are."""
    found = shutil.which("pg_ctl")
    places = [*([Path(found).parent] if found else []), Path("/usr/local/bin")]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server while the block runs. Skips the test where there is none."""
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL here: apt install postgresql")
    if os.geteuid() == 0 and USER not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user `postgres`")
    # Not pytest's directory: only its owner may enter that one.
    with tempfile.TemporaryDirectory(prefix="realtime-pg-", dir="/tmp") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        server = Server(place, Path(folder) / "data")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
