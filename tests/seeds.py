"""Seeds of tests that are repeated: a few in the default run, all with `-m slow`."""

from typing import Any

import pytest


def seeds(few: int, count: int) -> list[Any]:
    """The first few numbers for every run, and the rest up to `count` for slow ones."""
    return [*range(few), *(pytest.param(n, marks=pytest.mark.slow) for n in range(few, count))]
