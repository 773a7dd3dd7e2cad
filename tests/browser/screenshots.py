"""Screenshots of the demo for README and docs: `scripts/screenshots [SECONDS]`.

The demo runs that long before the pictures are made (90 by default), so that its faults are over
and its curve has something to show.
"""

import asyncio
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import ARGUMENTS

if TYPE_CHECKING:
    from playwright.async_api import Browser

FOLDER = Path(__file__).parents[2] / "docs" / "img"
WARM_UP_S = 90.0
SETTLE_MS = 4_000
"""A page is there at once; its latency and the newest fills take some seconds."""

PORT, SIMULATOR_PORT = 18_490, 18_491
READY = re.compile(rb"open (http://\S+)")

PICTURES: dict[str, tuple[str, str, int, int]] = {
    "fleet": ("#/", ".curve canvas", 1440, 900),
    "account": ("#/account/alpha", ".curve canvas", 1440, 1000),
    "compare": ("#/compare", "table.compare tbody tr", 1440, 1180),
    "past": ("#/account/alpha?as_of=PAST", ".time-bar", 1440, 900),
    "phone": ("#/", "table.fleet tbody tr[data-index]", 390, 844),
    "phone-compare": ("#/compare", "table.compare tbody tr", 390, 844),
}
"""Name → address, what must be there, width, height. Phones have two dots a pixel."""


async def main() -> None:
    """Run the demo, wait, and make the pictures in both colours."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else WARM_UP_S
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime", "demo",
        f"--port={PORT}", f"--sim-port={SIMULATOR_PORT}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds + 240):
            url = await _wait_until_ready(demo)
            drain = asyncio.create_task(_drain(demo))
            await asyncio.sleep(seconds)
            await _take(url)
            drain.cancel()
    finally:
        demo.terminate()
        await demo.wait()


async def _wait_until_ready(demo: asyncio.subprocess.Process) -> str:
    assert demo.stdout is not None
    async for line in demo.stdout:
        if found := READY.search(line):
            return found[1].decode()
    raise SystemExit("the demo has ended")


async def _drain(demo: asyncio.subprocess.Process) -> None:
    assert demo.stdout is not None
    while await demo.stdout.read(2**16):
        pass


async def _take(url: str) -> None:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - an extra

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for name in PICTURES:
            for scheme in ("light", "dark"):
                await _picture(browser, url, name, scheme)
        await browser.close()


async def _picture(browser: "Browser", url: str, name: str, scheme: str) -> None:
    path, selector, width, height = PICTURES[name]
    address = f"{url}/{path}"
    is_phone = width < 500
    page = await browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if is_phone else 1,
        is_mobile=is_phone,
        has_touch=is_phone,
    )
    if "PAST" in address:
        await page.goto(address.partition("?")[0])
        past = await page.evaluate("new Date(Date.now() - 60_000).toISOString().slice(0, 19) + 'Z'")
        address = address.replace("PAST", past)
    await page.goto(address)
    await page.locator(selector).first.wait_for()
    await page.wait_for_timeout(SETTLE_MS)
    await page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
