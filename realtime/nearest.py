"""The known word that was probably meant: in a request, a command or a file."""

import math
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

MIN_SIMILARITY = 0.6
"""difflib's own threshold for "similar", which is similar enough."""

MAX_WORD_LENGTH = 80
"""Longer words are not compared: that takes quadratic time, and no name of ours is as long."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the most similar known word, ignoring case; None if none is similar."""
    return None if len(word) > MAX_WORD_LENGTH else _nearest(word, tuple(known))


@lru_cache(maxsize=64)  # 4 ms; a client may repeat a wrong name in a loop
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(word.casefold())
    best, best_ratio = None, math.nextafter(MIN_SIMILARITY, 0.0)
    for candidate in known:
        matcher.set_seq1(candidate.casefold())
        if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio:
            ratio = matcher.ratio()
            if ratio > best_ratio:
                best, best_ratio = candidate, ratio
    return best
