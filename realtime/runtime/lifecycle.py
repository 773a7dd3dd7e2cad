"""`realtime run` once its settings are read: the daemon, from the first log line to the last."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from rich.console import Console

from realtime.config.settings import LogSettings, Settings
from realtime.errors import ConfigError
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import real_environment
from realtime.runtime.garbage import collect_garbage
from realtime.runtime.process import (
    raise_descriptor_limit,
    run_in_loop,
    stop_signals,
)
from realtime.runtime.progress_bar import AboveBar, is_terminal, loading_bar
from realtime.runtime.readiness import Readiness, count_readiness, wait_until_ready
from realtime.runtime.systemd import ServiceManager
from realtime.telemetry.log import configure, configure_from, get_logger, reopen_log_file

log = get_logger()


def run_until_stopped(
    settings: Settings, environ: Mapping[str, str], read_settings: Callable[[], Settings]
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP calls `read_settings` and applies it."""
    _configure_log(settings, environ)
    for notice in settings.notices:
        log.info("config.notice", reason=notice)
    for warning in settings.warnings:
        log.warning("config.warning", reason=warning)
    descriptors = raise_descriptor_limit(len(settings.accounts))
    if descriptors.is_short:
        log.warning("config.warning", reason=descriptors.warning)
    run_in_loop(_run(settings, environ, read_settings))


async def _run(
    settings: Settings, environ: Mapping[str, str], read_settings: Callable[[], Settings]
) -> None:
    started_at = asyncio.get_running_loop().time()
    service = ServiceManager(environ)
    with stop_signals(_log_stop) as stop:
        read_again = partial(asyncio.to_thread, read_settings)
        async with (
            run_daemon(settings, real_environment(), read_again) as daemon,
            asyncio.TaskGroup() as group,
        ):
            status = lambda: str(count_readiness(daemon.store))  # noqa: E731 - one expression
            tasks = [
                group.create_task(_reload_on_sighup(daemon, service), name="reload"),
                group.create_task(service.keep_notified(status), name="watchdog"),
                group.create_task(
                    _report_ready(daemon, environ, started_at, service), name="readiness"
                ),
            ]
            await stop.wait()
            service.notify("STOPPING=1")
            for task in tasks:
                task.cancel()


def _configure_log(settings: Settings, environ: Mapping[str, str]) -> None:
    log = settings.log
    configure_from(environ, level=log.level, fmt=log.format, file=log.file)


async def _reload_on_sighup(daemon: Daemon, service: ServiceManager) -> None:
    """Read the files again at every SIGHUP; errors are in the log."""
    received = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, received.set)
    try:
        while True:
            await received.wait()
            received.clear()
            service.notify_reloading()
            reopen_log_file()
            with suppress(ConfigError):  # logged where it was raised
                await daemon.reload()
            service.notify("READY=1")
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _report_ready(
    daemon: Daemon, environ: Mapping[str, str], started_at: float, service: ServiceManager
) -> None:
    """Report once that every account was tried; from then on collect garbage in short slices.
    `started_at` is the loop's time."""
    if daemon.cluster is not None:
        await daemon.cluster.wait_until_complete()
    enabled = count_readiness(daemon.store).enabled
    with _progress(enabled, daemon.settings, environ) as set_count:
        readiness = await wait_until_ready(daemon.store, set_count)
    service.notify("READY=1", f"STATUS={readiness}")
    _log_ready(readiness, asyncio.get_running_loop().time() - started_at)
    await collect_garbage(lambda: daemon.store.version)


@contextmanager
def _progress(
    enabled: int, settings: Settings, environ: Mapping[str, str]
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar instead of a line per account, on a terminal with the default log."""
    configured = any(environ.get(f"REALTIME_LOG_{name}") for name in ("LEVEL", "FORMAT", "FILE"))
    has_default_log = not configured and settings.log == LogSettings()
    if not (is_terminal() and has_default_log and enabled):
        yield lambda _: None
        return
    console = Console(highlight=False)
    with loading_bar(console, enabled) as set_count:
        configure("warning", "text", AboveBar(console))
        try:
            yield set_count
        finally:
            _configure_log(settings, environ)


def _log_ready(readiness: Readiness, took_s: float) -> None:
    others = {"waiting": readiness.waiting, "refused": readiness.refused}
    log.info(
        "daemon.ready",
        accounts=readiness.enabled,
        took_s=round(took_s, 1),
        synced=readiness.synced,
        **{state: count for state, count in others.items() if count},
    )


def _log_stop(number: signal.Signals) -> None:
    log.info("daemon.stopping", signal=number.name)
