"""The world can fail: it notices broken rules. All of them: `scripts/mutants`."""

import pytest

from tests.world.mutants import MUTANTS, Edit, Mutant
from tests.world.mutation import ROOT, judge, misfit


def test_every_mutant_fits_the_sources() -> None:
    """Whoever changes a rule's words changes the mutant that breaks it."""
    assert [problem for mutant in MUTANTS.values() if (problem := misfit(mutant))] == []


def test_the_tests_that_a_mutant_names_exist() -> None:
    names = [test.split("::") for mutant in MUTANTS.values() for test in mutant.tests]
    assert [name for path, name in names if f"def {name}(" not in (ROOT / path).read_text()] == []


def test_mutants_are_as_many_as_promised() -> None:
    assert len(MUTANTS) >= 70


@pytest.mark.slow
def test_a_broken_rule_is_noticed() -> None:
    (verdict,) = judge([MUTANTS["buffer dropped"]], range(20), jobs=1)
    assert verdict.history is not None, verdict


def test_a_word_that_is_not_there_is_told() -> None:
    odd = Mutant("odd", (Edit("store/store.py", "no such words", ""),))
    (verdict,) = judge([odd], range(1), jobs=1)
    assert "found 0 times" in verdict.problem
