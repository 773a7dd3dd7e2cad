"""Copies history to a database while the daemon runs: starts the process, again when it has ended,
and passes on what it reports."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import msgspec

from realtime.config.settings import HistorySettings
from realtime.errors import ConfigError
from realtime.history.postgres.address import Address, CopyReport
from realtime.history.status import CopyStatus
from realtime.telemetry.log import get_logger

log = get_logger()

RESTART_S = 5.0
"""Until the process is started again; it ends only by a mistake, or because it was killed."""

STOP_S = 5.0
"""Limit for the last pass, which copies what was committed before the daemon stopped."""

_decoder = msgspec.json.Decoder(CopyReport)


def database_address(settings: HistorySettings) -> Address | None:
    """The database of the settings; None: there is none. Raises `ConfigError`."""
    if settings.url is None:
        return None
    if find_spec("psycopg") is None:
        raise ConfigError(
            "[history] url needs the extra `postgres`",
            remedy="pip install 'alpaca-realtime[postgres]', or remove url",
        )
    return Address(url=settings.url, schema=settings.database_schema, days=settings.database_days)


class DatabaseCopy:
    """How far the database is. `run` copies until it is cancelled."""

    def __init__(
        self, directory: Path, address: Address, *, on_report: Callable[[CopyReport], None]
    ) -> None:
        self._directory = directory
        self._address = address
        self._on_report = on_report
        self._error: str | None = None
        self.copied_us = 0
        """Everything that was committed until then is in the database."""

    def status(self, committed_at: float | None) -> CopyStatus:
        """How copying goes; `committed_at` is the last commit of the files, epoch seconds."""
        is_behind = committed_at is not None and self.copied_us + 1 < committed_at * 1e6
        since = self.copied_us / 1e6 if self.copied_us else committed_at
        lag_s = max(0.0, time.time() - since) if is_behind and since is not None else 0.0
        return CopyStatus(is_failing=self._error is not None, lag_s=lag_s)

    async def run(self) -> None:
        """Keep the process running."""
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "realtime.history.postgres.process",
                str(self._directory),
                env={**os.environ, **self._address.environment()},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                await self._read(process)
            finally:
                await _end(process)
            self._set_error("the process has ended")
            await asyncio.sleep(RESTART_S)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            report = _decoder.decode(line)
            self._set_error(report.error)
            if report.copied_us is not None:
                self.copied_us = report.copied_us
            for day in report.dropped:
                log.info("history.partitions_dropped", day=day)
            for file in report.missing:
                log.warning("history.gap_recorded", reason="not copied", file=file)
            self._on_report(report)

    def _set_error(self, error: str | None) -> None:
        if error is not None and self._error is None:
            log.error("history.database_failed", reason=error)
        elif error is None and self._error is not None:
            log.info("history.database_recovered")
        self._error = error


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
