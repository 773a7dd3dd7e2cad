"""`realtime run` once its settings are read: the daemon, from the first log line to the last."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from rich.console import Console

from realtime.config.settings import LogSettings, Settings
from realtime.errors import ConfigError
from realtime.runtime.daemon import Daemon, running
from realtime.runtime.environment import real_world, run_in_loop, settle_memory
from realtime.runtime.file_descriptors import make_room
from realtime.runtime.progress_bar import AboveBar, is_terminal, loading_bar
from realtime.runtime.readiness import Readiness, take_stock, until_ready
from realtime.runtime.stop_signals import stop_requested
from realtime.runtime.systemd import ServiceManager
from realtime.telemetry.log import configure, configure_from, get_logger, look_for_file

log = get_logger()


def follow(
    settings: Settings, environ: Mapping[str, str], read: Callable[[], Settings] | None = None
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C. `read` reads the files again, on SIGHUP."""
    _begin_log(settings, environ)
    for warning in settings.warnings:
        log.warning("config.warning", reason=warning)
    room = make_room(len(settings.accounts))
    if room.is_short:
        reason = f"only {room.limit} files may be open, {room.needed} may be needed; {room.remedy}"
        log.warning("config.warning", reason=reason)
    run_in_loop(_follow(settings, environ, read))


async def _follow(
    settings: Settings, environ: Mapping[str, str], read: Callable[[], Settings] | None
) -> None:
    began = asyncio.get_running_loop().time()
    service = ServiceManager(environ)
    with stop_requested(_tell_stop) as stop:
        reread = None if read is None else partial(asyncio.to_thread, read)
        async with (
            running(settings, real_world(), reread) as daemon,
            asyncio.TaskGroup() as tasks,
        ):
            beside = [
                tasks.create_task(_reload_when_told(daemon, service), name="reload"),
                tasks.create_task(service.live(lambda: str(take_stock(daemon.store))), name="life"),
                tasks.create_task(
                    _announce_ready(daemon, environ, began, service), name="readiness"
                ),
            ]
            await stop.wait()
            service.tell("STOPPING=1")
            for task in beside:
                task.cancel()


def _begin_log(settings: Settings, environ: Mapping[str, str]) -> None:
    log = settings.log
    configure_from(environ, level=log.level, fmt=log.format, file=log.file)


async def _reload_when_told(daemon: Daemon, service: ServiceManager) -> None:
    """Read the files again at every SIGHUP; what is wrong with them stands in the log."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, told.set)
    try:
        while True:
            await told.wait()
            told.clear()
            service.reloading()
            look_for_file()
            with suppress(ConfigError):  # it has been told
                await daemon.reload()
            service.tell("READY=1")
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _announce_ready(
    daemon: Daemon, environ: Mapping[str, str], began: float, service: ServiceManager
) -> None:
    """Say once that every account has been tried. `began` is the loop's time of the start."""
    enabled = take_stock(daemon.store).enabled
    with _progress(enabled, daemon.settings, environ) as advanced:
        ready = await until_ready(daemon.store, advanced)
    settle_memory()
    service.tell("READY=1", f"STATUS={ready}")
    _tell_ready(ready, asyncio.get_running_loop().time() - began)


@contextmanager
def _progress(
    enabled: int, settings: Settings, environ: Mapping[str, str]
) -> Iterator[Callable[[int], None]]:
    """Show a bar in place of a line an account, where that is what a person would want."""
    wanted = any(environ.get(f"REALTIME_LOG_{name}") for name in ("LEVEL", "FORMAT", "FILE"))
    plain_log = not wanted and settings.log == LogSettings()
    if not (is_terminal() and plain_log and enabled):
        yield lambda _: None
        return
    console = Console(highlight=False)
    with loading_bar(console, enabled) as advanced:
        configure("warning", "text", AboveBar(console))
        try:
            yield advanced
        finally:
            _begin_log(settings, environ)


def _tell_ready(ready: Readiness, took_s: float) -> None:
    others = {"waiting": ready.waiting, "refused": ready.refused}
    log.info(
        "daemon.ready",
        accounts=ready.enabled,
        took_s=round(took_s, 1),
        synced=ready.synced,
        **{word: count for word, count in others.items() if count},
    )


def _tell_stop(number: signal.Signals) -> None:
    log.info("daemon.stopping", signal=number.name)
