"""The demo's timetable: three accounts in trouble, each in its own way, the others untouched."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec import Struct

SHOW_S = 60.0
"""The timetable is made for a minute; a shorter demo goes through it faster."""

Fault = Mapping[str, object]


class ChaosStep(Struct, frozen=True):
    """What happens to one account, and when: seconds after everything is ready."""

    at_s: float
    account: int
    sentence: str
    faults: tuple[Fault, ...]
    trades: int = 0
    """Orders then placed behind our back, so that there is something to recover."""


TIMETABLE = (
    ChaosStep(20, 0, "chaos: cutting {}, and trading meanwhile", ({"kind": "cut"},), trades=3),
    # The way back is barred for a while: REST answers 429 to the first reading after the cut.
    ChaosStep(35, 1, "chaos: 429 for {}", ({"kind": "rate_limited", "for_s": 15}, {"kind": "cut"})),
    ChaosStep(45, 2, "chaos: {}'s key is refused", ({"kind": "key_revoked"},)),
)


async def acts(labels: Sequence[str], intervals: float) -> AsyncIterator[ChaosStep]:
    """Give each act at its time, for accounts that there are. At pace 1 it takes a minute."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for act in TIMETABLE:
        if act.account < len(labels):
            await asyncio.sleep(began + act.at_s * intervals - loop.time())
            yield act
