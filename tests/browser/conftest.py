"""Chromium on the live page of a daemon that follows a simulator.

One browser for all tests, and so one event loop; each test has pages of its own, as in a private
window: no cookie, no chosen colour outlives it.

playwright is imported where it is used: without the extra these files are only passed over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest_asyncio

from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.browser.relay import Relay, relay
from tests.cli.commands.test_status import settled
from tests.fleet import Fleet, fleet

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
]  # fmt: skip
LIMIT_MS = 30_000
"""Limit of anything a test waits for; a page is there within half a second."""

Open = Callable[..., Awaitable["Page"]]


async def becomes(page: "Page", script: str, expected: object) -> None:
    """Wait until a script returns this: what it measures is still being drawn for a moment."""
    result = await page.evaluate(script)
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_MS / 1000):
            while result != expected:
                await asyncio.sleep(0.05)
                result = await page.evaluate(script)
    assert result == expected


in_one_loop = pytest_asyncio.fixture(loop_scope="session")
"""A fixture of one test, in the loop of all: the browser's."""


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(chromium: str) -> AsyncIterator["Browser"]:
    from playwright.async_api import async_playwright, expect  # noqa: PLC0415 - see the top

    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()


@in_one_loop
async def faults() -> AsyncIterator[list[str]]:
    """What pages complained of; a test that leaves something here has failed."""
    found: list[str] = []
    yield found
    assert found == []


@in_one_loop
async def open_page(browser: "Browser", faults: list[str]) -> AsyncIterator[Open]:
    """Open an address: `width`, `height`, `scheme`, `is_mobile` as the browser has them."""

    async def open_page(
        address: str, *, width: int = 1280, height: int = 800, scheme: str = "light"
    ) -> "Page":
        page = await browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            is_mobile=width < 500,
            has_touch=width < 500,
        )
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        await page.goto(address)
        return page

    yield open_page
    for context in browser.contexts:
        await context.close()


@in_one_loop
async def pair() -> AsyncIterator[Fleet]:
    """Daemon and simulator: alpha, bravo, charlie; nobody trades unless a test does."""
    async with Simulator(accounts=3) as simulator, fleet(simulator, real_environment()) as pair:
        await settled(pair)
        yield pair


@in_one_loop
async def line(pair: Fleet) -> AsyncIterator[Relay]:
    """The way from the browser to the daemon."""
    async with relay(pair.daemon.port) as line:
        yield line
