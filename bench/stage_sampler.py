"""Where a frame's processor time is spent: a sampling profiler inside the daemon's process.

Every few milliseconds of processor time (`SIGPROF`) the innermost function on the stack that begins
a stage decides where the sample counts. So the stages are measured together, as they run, with the
caches and the garbage collector as they are; their sum is all that the process used.
"""

import signal
import time
from collections import Counter
from types import FrameType

INTERVAL_S = 0.001
"""The kernel rounds it up to its tick, 1 to 4 ms."""

STAGES = ("receive", "decode", "reduce", "store", "log", "push", "follow-up", "collector", "bench")

ENTRY_POINTS: tuple[tuple[str, str, str], ...] = (
    # Where a function of a file belongs, by the end of its path; "" is any function.
    ("bench/daemon.py", "collecting", "collector"),
    ("bench/", "", "bench"),
    ("realtime/telemetry/log", "", "log"),
    ("realtime/telemetry/redaction.py", "", "log"),
    ("realtime/api/", "", "push"),
    ("realtime/store/", "", "store"),
    ("realtime/core/apply.py", "", "reduce"),
    ("realtime/broker/codec.py", "", "decode"),
    ("realtime/broker/sanitizer.py", "", "decode"),
    ("realtime/sync/", "_log_fill", "log"),
    ("realtime/sync/session.py", "_receive", "receive"),
    ("realtime/sync/", "", "follow-up"),
    ("realtime/runtime/", "", "follow-up"),
    ("realtime/broker/trading_stream.py", "", "receive"),
    ("realtime/broker/frame_parser.py", "", "receive"),
    ("websockets/", "", "receive"),
    ("asyncio/", "", "receive"),
)


class StageSampler:
    """Counts samples by stage from `start` to `stop`."""

    def __init__(self) -> None:
        self._samples: Counter[str] = Counter()
        self._stages: dict[tuple[str, str], str] = {}
        """Code's file and name → its stage; "" if it belongs to its caller's."""
        self._began = 0.0

    def start(self) -> None:
        """Begin again."""
        self._samples.clear()
        self._began = time.process_time()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def stop(self) -> dict[str, float]:
        """End; return the seconds of processor time of each stage."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        spent_s = time.process_time() - self._began
        total = max(1, self._samples.total())
        return {stage: spent_s * self._samples[stage] / total for stage in STAGES}

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        while frame is not None:
            code = frame.f_code
            key = code.co_filename, code.co_name
            stage = self._stages.get(key)
            if stage is None:
                stage = self._stages[key] = _find_stage(*key)
            if stage:
                self._samples[stage] += 1
                return
            frame = frame.f_back
        self._samples["receive"] += 1  # the event loop's own


def _find_stage(path: str, name: str) -> str:
    for part, function, stage in ENTRY_POINTS:
        if part in path and function in ("", name):
            return stage
    return ""
