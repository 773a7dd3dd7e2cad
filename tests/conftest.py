"""What every test run needs to know: which tests wait for an extra or for a word.

`api`, `compat` and `browser` tests import what they drive at the top of their files, so the files
themselves are skipped where it is not installed. `slow` tests run when `-m` names them; those that
start other programs are slow by their folder. Properties try the same few examples in every default
run; `HYPOTHESIS_PROFILE=ci` tries many new ones.
"""

import gc
import importlib.util
import os
import re
import shutil
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import pytest
from aiohttp.web_app import _cached_build_middleware
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
API, COMPAT, BROWSER = HERE / "conformance", HERE / "compat", HERE / "browser"
NO_STRANGERS = "schemathesis is not installed: pip install -c constraints.txt -e '.[dev,api]'"
NO_BROWSER = "no playwright or no Chromium: EXTRAS=dev,top,browser and apt-get install chromium"
NO_SDK = "alpaca-py is not installed: pip install -c constraints.txt -e '.[dev,compat]'"
SLOW_FOLDERS = [API, COMPAT, BROWSER, HERE / "processes", HERE / "history" / "postgres"]
"""Browsers, other clients, other processes, a database: all their tests are slow ones."""

# No property fails because the machine is busy: neither a limit for each example, nor the check
# that examples are made quickly. (That they are plausible is still checked.)
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci", settings.get_profile("default"), derandomize=False, max_examples=1000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

HAS_STRANGERS = importlib.util.find_spec("schemathesis") is not None
HAS_SDK = importlib.util.find_spec("alpaca") is not None
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HAS_BROWSER = CHROMIUM is not None and importlib.util.find_spec("playwright") is not None


SAID = re.compile(r"demo-secret-[a-z]|development-only-0123456789")
"""Secrets of the simulator's accounts, and that of the tests' tokens: nothing ever prints them."""


class Without(pytest.Module):
    """A test file that says why it is not run, without being imported."""

    reason = ""

    def collect(self) -> Iterable[pytest.Item]:
        pytest.skip(self.reason, allow_module_level=True)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    assert CHROMIUM is not None, "without it the files are not collected"
    return CHROMIUM


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    rooms = {
        API: (HAS_STRANGERS, NO_STRANGERS),
        COMPAT: (HAS_SDK, NO_SDK),
        BROWSER: (HAS_BROWSER, NO_BROWSER),
    }
    for room, (is_there, reason) in rooms.items():
        if room in module_path.parents and not is_there:
            module: Without = Without.from_parent(parent, path=module_path)
            module.reason = reason
            return module
    return None


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("markexpr")
    for item in items:
        if any(folder in item.path.parents for folder in SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)
        if not HAS_SDK and item.get_closest_marker("compat"):
            item.add_marker(pytest.mark.skip(reason=NO_SDK))
        is_slow = item.get_closest_marker("slow") and not item.get_closest_marker("quick")
        if "slow" not in wanted and is_slow:
            item.add_marker(pytest.mark.skip(reason="slow: scripts/test -m slow"))


def pytest_collection(session: pytest.Session) -> None:
    """Thousands of tests are collected, none is garbage: a third of the time was spent looking."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave the collected tests out of later looks, each of which would stop a test for long."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _forget_applications() -> Iterator[None]:
    """aiohttp keeps the last thousand handlers with their applications: of tests that are over."""
    yield
    _cached_build_middleware.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test under which a secret was logged or printed."""
    report = yield
    if report.when == "teardown" and report.passed:  # which has the output of all three stages
        found = next((m for _, text in report.sections if (m := SAID.search(text))), None)
        if found is not None:
            report.outcome = "failed"
            report.longrepr = f"a secret was printed: …{found.string[: found.end()][-200:]}"
    return report
