"""A schedule: all that happens in one world, drawn from a seed and written as JSON."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Literal

import msgspec
from msgspec import Struct

from realtime.simulator.account_presets import preset_label
from tests.world.kinds import KINDS, Details, Kind

FOUND = sorted(Path(__file__).with_name("found").glob("*.json"))
"""Schedules that have broken a promise once, shortened; and what seeds draw too seldom."""

Size = Literal["small", "large"]

SECONDS: dict[Size, tuple[int, int]] = {"small": (15, 32), "large": (60, 400)}
ACCOUNTS: dict[Size, tuple[int, ...]] = {"small": (1, 1, 2, 2, 3, 4), "large": (5, 10, 20, 50)}
ACTS: dict[Size, tuple[int, int]] = {"small": (5, 14), "large": (15, 60)}
RATES: dict[Size, tuple[float, float]] = {"small": (0.5, 1.6), "large": (0.3, 1.0)}
"""Events a second that each account makes by itself."""

EVEN_S = 0.001
"""Acts happen at whole milliseconds, so that a schedule reads well."""


class Act(Struct, frozen=True):
    """One thing that happens to one account, or to all."""

    at: float
    what: str
    account: str | None
    details: Details

    def __str__(self) -> str:
        told = " ".join(f"{name}={value}" for name, value in self.details.items())
        return f"{self.at:8.3f} s  {self.account or 'all':10} {self.what} {told}".rstrip()


class Schedule(Struct, frozen=True, kw_only=True):
    """One history's cause. Equal schedules give equal histories."""

    seed: int
    accounts: int
    seconds: float
    activity: float
    quirks: dict[str, bool]
    spared: str | None
    """An account that nothing happens to: it must not notice the others' trouble."""
    acts: tuple[Act, ...]

    @property
    def labels(self) -> list[str]:
        """All accounts."""
        return [preset_label(n) for n in range(self.accounts)]


def draw(seed: int, size: Size = "small") -> Schedule:
    """The schedule of a seed."""
    rng = Random(f"schedule:{size}:{seed}")
    accounts = rng.choice(ACCOUNTS[size])
    seconds = float(rng.randint(*SECONDS[size]))
    labels = [preset_label(n) for n in range(accounts)]
    spared = rng.choice(labels) if accounts > 1 and rng.random() < 0.5 else None
    kinds = [kind for kind in KINDS.values() if spared is None or not kind.for_all]
    victims = [label for label in labels if label != spared]
    count = rng.randint(*ACTS[size])
    acts = [_act(rng, seconds, kinds, victims) for _ in range(count)]
    return Schedule(
        seed=seed,
        accounts=accounts,
        seconds=seconds,
        activity=round(accounts * rng.uniform(*RATES[size]), 1),
        quirks={name: rng.random() < 0.7 for name in ("parent_legs_in_frame", "rest_micros")}
        | {name: rng.random() < 0.1 for name in ("legacy_frames", "execution_id_on_pending_new")}
        | {"bracket_cancel_frame": rng.random() < 0.9},
        spared=spared,
        acts=tuple(sorted(acts, key=lambda act: act.at)),
    )


def _act(rng: Random, seconds: float, kinds: Sequence[Kind], victims: Sequence[str]) -> Act:
    kind = rng.choices(kinds, [kind.weight for kind in kinds])[0]
    # Many faults follow each other closely: half of them come in the first third.
    at = rng.uniform(0, seconds / 3 if rng.random() < 0.5 else seconds)
    account = None if kind.for_all else rng.choice(victims)
    return Act(round(at / EVEN_S) * EVEN_S, kind.word, account, kind.draw(rng))


def encode(schedule: Schedule) -> bytes:
    """Write a schedule as JSON."""
    return msgspec.json.format(msgspec.json.encode(schedule), indent=1)


def decode(text: bytes) -> Schedule:
    """Read one back."""
    return msgspec.json.decode(text, type=Schedule)
