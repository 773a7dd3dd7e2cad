"""What a frame costs, stage by stage, in processor time: one fixed stream of frames."""

from collections.abc import Mapping
from statistics import median

from bench.children import fleet_config, post
from bench.events import NO_HISTORY, broker, daemon
from bench.stage_sampler import STAGES


def measure(sockets: int, frames: int, rounds: int) -> list[dict[str, float]]:
    """Microseconds of each stage a frame, in each round; `frames` in all on each."""
    results = []
    with (
        broker() as port,
        fleet_config(sockets, port, NO_HISTORY) as config,
        daemon(config) as child,
    ):
        for _ in range(rounds):
            child.request("reset")
            child.request("sample")
            played = post(f"http://127.0.0.1:{port}/_play", {"count": frames // sockets})
            child.request(f"wait {played['sent']}")
            seconds = child.request("samples")
            results.append({s: seconds[s] / played["sent"] * 1e6 for s in STAGES})
    return results


def lines(seen: Mapping[int, list[dict[str, float]]]) -> list[str]:
    """The table: a column for each stage."""
    table = [
        f"| sockets | {' | '.join(STAGES)} | all |",
        f"| ---: |{' ---: |' * (len(STAGES) + 1)}",
    ]
    for sockets, rounds in seen.items():
        cells = [f"{median(each[stage] for each in rounds):.1f}" for stage in STAGES]
        total = median(sum(each.values()) for each in rounds)
        table.append(f"| {sockets} | {' | '.join(cells)} | {total:.0f} µs |")
    return table
