"""How far the broker's clock is from ours, narrowed down with every answer.

A `Date` header is the broker's time with the fraction cut off, at some moment between our asking
and its answer. That bounds the difference from both sides; bounds of many answers overlap in less
and less.
"""


class ClockOffset:
    """What is known of the difference between two clocks."""

    def __init__(self) -> None:
        self._least = float("-inf")
        self._most = float("inf")

    @property
    def seconds(self) -> float | None:
        """Their clock less ours, the middle of what is possible; None before the first answer."""
        if self._least == float("-inf"):
            return None
        return (self._least + self._most) / 2

    def learn(self, date: float, asked_at: float, answered_at: float) -> None:
        """Take in an answer dated `date`, a whole second of theirs. All are epoch seconds."""
        least, most = date - answered_at, date + 1 - asked_at
        if least > self._most or most < self._least:  # a clock was set: what was known is void
            self._least, self._most = least, most
        else:
            self._least, self._most = max(self._least, least), min(self._most, most)
