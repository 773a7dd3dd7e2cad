"""Room for as many open files as the accounts need."""

import resource
import subprocess
import sys

import pytest

from realtime.runtime.file_descriptors import OTHERS

PROGRAM = """
import resource, sys
from realtime.runtime.file_descriptors import make_room
soft, hard, accounts = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
room = make_room(accounts)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], room.is_short, room.remedy)
"""


@pytest.mark.parametrize(
    ("soft", "hard", "accounts", "limit", "is_short"),
    [
        (256, 8000, 1000, OTHERS + 1000, False),  # raised as far as is needed
        (256, 512, 1000, 512, True),  # raised as far as is allowed, and said
        (8000, 8000, 1000, 8000, False),  # left alone: never lowered
        (256, OTHERS + 3, 3, OTHERS + 3, False),
    ],
)
def test_make_room(soft: int, hard: int, accounts: int, limit: int, is_short: bool) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this machine allows fewer open files than the test tries")
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(accounts)],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    got_limit, got_short, remedy = answer.stdout.rstrip().split(" ", 2)
    assert (int(got_limit), got_short) == (limit, str(is_short))
    assert f"ulimit -n {OTHERS + accounts}" in remedy
