"""`realtime run` once its settings are read: the daemon, from the first log line to the last."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from rich.console import Console

from realtime.app import Daemon, running
from realtime.cli.descriptors import make_room
from realtime.cli.loading import AboveBar, is_terminal, loading_bar
from realtime.cli.readiness import Readiness, take_stock, until_ready
from realtime.cli.stopping import told_to_stop
from realtime.cli.world import real_world, run_in_loop, settle_memory
from realtime.config.settings import Settings
from realtime.errors import ConfigError
from realtime.logs import configure, configure_from, get_logger

log = get_logger()


def follow(
    settings: Settings, environ: Mapping[str, str], read: Callable[[], Settings] | None = None
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C. The log is configured. `read` reads the files again,
    on SIGHUP."""
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
    with told_to_stop(_tell_stop) as stop:
        reread = None if read is None else partial(asyncio.to_thread, read)
        async with (
            running(settings, real_world(), reread) as daemon,
            asyncio.TaskGroup() as tasks,
        ):
            reloading = tasks.create_task(_reload_when_told(daemon), name="reload")
            announcement = tasks.create_task(
                _announce_ready(daemon, environ, began), name="readiness"
            )
            await stop.wait()
            announcement.cancel()
            reloading.cancel()


async def _reload_when_told(daemon: Daemon) -> None:
    """Read the files again at every SIGHUP; what is wrong with them stands in the log."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, told.set)
    try:
        while True:
            await told.wait()
            told.clear()
            with suppress(ConfigError):  # it has been told
                await daemon.reload()
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _announce_ready(daemon: Daemon, environ: Mapping[str, str], began: float) -> None:
    """Say once that every account has been tried. `began` is the loop's time of the start."""
    enabled = take_stock(daemon.store).enabled
    with _progress(enabled, environ) as advanced:
        ready = await until_ready(daemon.store, advanced)
    settle_memory()
    _tell_ready(ready, asyncio.get_running_loop().time() - began)


@contextmanager
def _progress(enabled: int, environ: Mapping[str, str]) -> Iterator[Callable[[int], None]]:
    """Show a bar in place of a line an account, where that is what a person would want."""
    plain_log = not (environ.get("REALTIME_LOG_LEVEL") or environ.get("REALTIME_LOG_FORMAT"))
    if not (is_terminal() and plain_log and enabled):
        yield lambda _: None
        return
    console = Console(highlight=False)
    with loading_bar(console, enabled) as advanced:
        configure("warning", "text", AboveBar(console))
        try:
            yield advanced
        finally:
            configure_from(environ)


def _tell_ready(ready: Readiness, took_s: float) -> None:
    others = {"waiting": ready.waiting, "refused": ready.refused}
    log.info(
        "daemon.ready",
        accounts=ready.enabled,
        took_s=round(took_s, 1),
        live=ready.live,
        **{word: count for word, count in others.items() if count},
    )


def _tell_stop(number: signal.Signals) -> None:
    log.info("daemon.stopping", signal=number.name)
