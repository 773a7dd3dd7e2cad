"""Descriptor limit, stop signals and errors of the event loop."""

import asyncio
import resource
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE

import pytest

from realtime.cli import INTERRUPTED
from realtime.errors import ConfigError, LinkError
from realtime.runtime.process import OTHER_DESCRIPTORS, REPEATED_SIGNAL_S, run_in_loop

RAISE_LIMIT = """
import resource, sys
from realtime.runtime.process import raise_descriptor_limit
soft, hard, accounts = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
descriptors = raise_descriptor_limit(accounts)
soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
print(soft, descriptors.is_short, descriptors.warning)
"""

NEVER_STOPS = """
import asyncio
from realtime.runtime.process import stop_signals

async def main():
    with stop_signals(lambda signal: print(signal.name, flush=True)):
        print("started", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("soft", "hard", "accounts", "limit", "is_short"),
    [
        (256, 8000, 1000, OTHER_DESCRIPTORS + 1000, False),  # raised as far as needed
        (256, 512, 1000, 512, True),  # raised as far as allowed, and reported
        (8000, 8000, 1000, 8000, False),  # never lowered
        (256, OTHER_DESCRIPTORS + 3, 3, OTHER_DESCRIPTORS + 3, False),
    ],
)
def test_descriptor_limit_is_raised_as_far_as_needed_and_allowed(
    soft: int, hard: int, accounts: int, limit: int, is_short: bool
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this machine allows fewer open files than the test needs")
    process = subprocess.run(
        [sys.executable, "-c", RAISE_LIMIT, str(soft), str(hard), str(accounts)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    new_limit, new_is_short, warning = process.stdout.rstrip().split(" ", 2)
    assert (int(new_limit), new_is_short) == (limit, str(is_short))
    assert f"ulimit -n {OTHER_DESCRIPTORS + accounts}" in warning


async def test_second_ctrl_c_ends_the_process_immediately() -> None:
    """The echo of one key press is not a second one."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", NEVER_STOPS, stdout=PIPE)
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"started\n"
            pressed_at = loop.time()
            process.send_signal(signal.SIGINT)
            assert await process.stdout.readline() == b"SIGINT\n"
            while process.returncode is None:
                process.send_signal(signal.SIGINT)
                ended = asyncio.ensure_future(process.wait())
                await asyncio.wait([ended], timeout=REPEATED_SIGNAL_S / 10)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == INTERRUPTED
    assert loop.time() - pressed_at > REPEATED_SIGNAL_S


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([ConfigError("x")], ConfigError),
        ([LinkError("x"), ConfigError("y")], LinkError),
        ([ConfigError("x"), KeyError("y")], ExceptionGroup),
    ],
)
def test_errors_of_ours_leave_the_loop_without_their_task_group(
    errors: list[Exception], expected: type[Exception]
) -> None:
    async def main() -> None:
        raise ExceptionGroup("tasks", errors)

    with pytest.raises(expected):
        run_in_loop(main())
