"""Lives through seeds with a mutant in place of the daemon, in a scratch copy of the sources."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct

from tests.world.mutants import Mutant

ROOT = Path(__file__).parents[2]
LIMIT_S = 900
"""A mutant that spins is noticed, too."""

TESTS_FAILED = 1
"""What pytest exits with if tests ran and failed; other codes are its own trouble."""


class Verdict(Struct, frozen=True):
    """What became of a mutant."""

    name: str
    history: str | None = None
    """The first history or test that notices it; None if none does."""
    oracle: str = ""
    problem: str = ""
    """Why it could not be tried."""

    def __str__(self) -> str:
        if self.history is not None:
            return f"caught   {self.name}: {self.history}, {self.oracle}"
        return f"MISFIT   {self.name}: {self.problem}" if self.problem else f"ALIVE    {self.name}"


def judge(mutants: list[Mutant], seeds: range, jobs: int) -> Iterator[Verdict]:
    """Try each mutant; verdicts come in order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda mutant: _judge(mutant, seeds), mutants)


def misfit(mutant: Mutant, root: Path = ROOT) -> str:
    """Why a mutant does not fit the sources; empty if it does."""
    for edit in mutant.edits:
        count = (root / "realtime" / edit.file).read_text().count(edit.old)
        if count != 1:
            return f"{edit.file}: found {count} times: {edit.old.strip().splitlines()[0]!r}"
    return ""


def _judge(mutant: Mutant, seeds: range) -> Verdict:
    if problem := misfit(mutant):
        return Verdict(mutant.name, problem=problem)
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        root = Path(scratch)
        for part in ("realtime", "tests"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        for edit in mutant.edits:
            path = root / "realtime" / edit.file
            path.write_text(path.read_text().replace(edit.old, edit.new))
        return _test(mutant, root) or _live(mutant, root, seeds)


def _test(mutant: Mutant, root: Path) -> Verdict | None:
    """Run the mutant's own tests, if it names any; give a verdict unless all of them pass."""
    if not mutant.tests:
        return None
    shutil.copy(ROOT / "pyproject.toml", root)
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
    done = _run(words, root)
    if done is None:
        return Verdict(mutant.name, history=mutant.tests[0], oracle=f"no end within {LIMIT_S} s")
    if done.returncode == TESTS_FAILED:
        failed = next(line for line in done.stdout.splitlines() if line.startswith("FAILED "))
        return Verdict(mutant.name, history=failed.split()[1], oracle="a test")
    return None if done.returncode == 0 else Verdict(mutant.name, problem=done.stdout[-300:])


def _live(mutant: Mutant, root: Path, seeds: range) -> Verdict:
    words = [sys.executable, "-m", "tests.world", "first-failure"]
    words.append(f"--seeds={seeds.start}..{seeds.stop}")
    done = _run(words, root)
    if done is None:
        return Verdict(
            mutant.name, history=f"seed {seeds.start}", oracle=f"no end within {LIMIT_S} s"
        )
    if done.returncode not in (0, 1) or not done.stdout:
        return Verdict(mutant.name, problem=done.stderr[-300:])
    found = json.loads(done.stdout.splitlines()[-1])
    return Verdict(mutant.name, history=found["history"], oracle=found["broken"] or "")


def _run(words: list[str], root: Path) -> subprocess.CompletedProcess[str] | None:
    """Run it to its end; None if that does not come."""
    try:
        return subprocess.run(
            words, cwd=root, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
