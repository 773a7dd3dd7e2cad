"""What a person needs to know of a history that failed."""

from collections.abc import Iterable

from tests.world.history import Outcome
from tests.world.schedule import Schedule, Size

LAST_LINES = 25


def replay_command(seed: int, size: Size) -> str:
    """What to type to see it again."""
    return f"scripts/simulate --seeds {seed}..{seed + 1}" + (
        "" if size == "small" else f" --size {size}"
    )


def describe(outcome: Outcome, shrunk: Outcome | None, size: Size) -> str:
    """The whole story: what broke, how to see it again, what happened, and the shorter schedule."""
    seed = outcome.schedule.seed
    lines = [
        f"seed {seed} broke {outcome.broken!r}",
        f"again:   {replay_command(seed, size)}",
        "",
        *_indented(outcome.details.splitlines()),
        "",
        _headline("schedule", outcome.schedule),
        *_indented(map(str, outcome.schedule.acts)),
        "",
        f"what happened last (trace {outcome.digest})",
        *_indented(outcome.last_lines[-LAST_LINES:]),
    ]
    if shrunk is not None and len(shrunk.schedule.acts) < len(outcome.schedule.acts):
        lines += [
            "",
            _headline("it still breaks with", shrunk.schedule),
            *_indented(map(str, shrunk.schedule.acts)),
            "",
            *_indented(shrunk.details.splitlines()[-3:]),
        ]
    return "\n".join(lines)


def _headline(what: str, schedule: Schedule) -> str:
    odd = [name for name, on in sorted(schedule.quirks.items()) if on]
    return (
        f"{what}: {schedule.accounts} accounts, {schedule.seconds:.0f} s,"
        f" {schedule.activity} events/s, spared {schedule.spared}, quirks {', '.join(odd) or '-'}"
    )


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
