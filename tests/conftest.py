"""What every test run needs to know: which tests wait for an extra or for a word.

`compat` tests import alpaca-py at the top of their files, so the files themselves are skipped where
it is not installed. `slow` tests run when `-m` names them. Properties try the same few examples in
every default run; `HYPOTHESIS_PROFILE=ci` tries many new ones.
"""

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings

COMPAT = Path(__file__).parent / "compat"
NO_SDK = "alpaca-py is not installed: pip install -c constraints.txt -e '.[dev,compat]'"
settings.register_profile("default", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("ci", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

HAS_SDK = importlib.util.find_spec("alpaca") is not None


class WithoutSdk(pytest.Module):
    """A test file that says why it is not run, without being imported."""

    def collect(self) -> Iterable[pytest.Item]:
        pytest.skip(NO_SDK, allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if HAS_SDK or COMPAT not in module_path.parents:
        return None
    module: pytest.Module = WithoutSdk.from_parent(parent, path=module_path)
    return module


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("markexpr")
    for item in items:
        if not HAS_SDK and item.get_closest_marker("compat"):
            item.add_marker(pytest.mark.skip(reason=NO_SDK))
        if "slow" not in wanted and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: scripts/test -m slow"))
