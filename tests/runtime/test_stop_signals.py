"""How a command that goes on for ever is ended."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE

from realtime.cli import INTERRUPTED
from realtime.runtime.stop_signals import ECHO_S

STUBBORN = """
import asyncio
from realtime.runtime.stop_signals import stop_requested

async def main():
    with stop_requested(lambda signal: print(signal.name, flush=True)):
        print("begun", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_second_ctrl_c_ends_at_once() -> None:
    """Whoever presses again cannot wait. The echo of one press is not a second one."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STUBBORN, stdout=PIPE)
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"begun\n"
            pressed_at = loop.time()
            process.send_signal(signal.SIGINT)
            assert await process.stdout.readline() == b"SIGINT\n"
            while process.returncode is None:
                process.send_signal(signal.SIGINT)
                await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=ECHO_S / 10)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == INTERRUPTED
    assert loop.time() - pressed_at > ECHO_S
