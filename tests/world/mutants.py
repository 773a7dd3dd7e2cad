"""The rules that keep the state right, each broken once: what the world, or a test, must notice.

`mutants.toml` holds them: under each name the words to replace. The words must be there exactly
once, so a mutant that no longer fits its file is told and not silently alive. Where a rule needs
more luck than a hundred seeds have, its mutant names the tests of that rule, which must fail.
"""

from pathlib import Path

import msgspec
from msgspec import Struct


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one file under `realtime/`, and what stands there instead."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    """What pytest is given: any of these must fail, as `tests/live/test_x.py::test_y`."""


class Mutant(Struct, frozen=True):
    """One broken rule."""

    name: str
    edits: tuple[Edit, ...]

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that are there to notice it; none if the world is."""
        return tuple(test for edit in self.edits for test in edit.tests)


def _load(path: Path) -> dict[str, Mutant]:
    tables = msgspec.toml.decode(path.read_bytes(), type=dict[str, tuple[Edit, ...]])
    return {name: Mutant(name, edits) for name, edits in tables.items()}


MUTANTS = _load(Path(__file__).with_name("mutants.toml"))
"""Every mutant by its name."""
