"""The word a reader probably meant."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

LIKENESS = 0.6
"""difflib's own mark for "similar"."""

LONGEST = 80
"""Longer words are not compared: comparing is quadratic, and no name of ours is as long."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, letter case aside; None if none is like it."""
    return None if len(word) > LONGEST else _nearest(word, tuple(known))


@lru_cache(maxsize=64)  # a reader with a wrong name in a loop must not cost 4 ms each time
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(word.casefold())
    best, best_ratio = None, LIKENESS
    for candidate in known:
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio:
            ratio = matcher.ratio()
            if ratio > best_ratio:
                best, best_ratio = candidate, ratio
    return best
