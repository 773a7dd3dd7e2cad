"""What was measured, as Markdown; and its place in `docs/performance.md`."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.children import ROOT
from bench.events import Drip, Pour
from bench.growth import Growth
from bench.queries import FleetRound, Round

PAGE = ROOT / "docs" / "performance.md"

NAMES = {
    "realtime": "realtime",
    "nginx": "nginx, static file",
    "no_shortcut": "realtime without the fast path",
    "aiohttp": "aiohttp, router, ready bytes",
    "fastapi": "FastAPI + uvicorn, dict → JSON",
}


def queries(seen: Mapping[str, Sequence[Round]]) -> list[str]:
    """Requests a second, each round's ratio to nginx in the middle, and how far rounds differ."""
    lines = [
        "| server | requests/s, 32 connections | against nginx | rounds |"
        " processor time per request | p50 at 1 connection |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in sorted(seen, key=lambda kind: -_middle(seen[kind])):
        rounds = seen[kind]
        rates = [each.many.per_s for each in rounds]
        ratio = "–"
        if "nginx" in seen:
            ratios = [
                ours.many.per_s / nginx.many.per_s
                for ours, nginx in zip(rounds, seen["nginx"], strict=True)
            ]
            ratio = f"{median(ratios):.2f} ×"
        p50 = median(each.one.p50_us for each in rounds)
        cpu = median(each.cpu_us for each in rounds)
        spread = f"{min(rates):,.0f}–{max(rates):,.0f}"
        lines.append(
            f"| {NAMES[kind]} | {_middle(rounds):,.0f} | {ratio} | {spread} | {cpu:.1f} µs |"
            f" {p50:,.0f} µs |"
        )
    return lines


def fleet_queries(seen: Sequence[Sequence[FleetRound]]) -> list[str]:
    """Different accounts in turn: rates, and processor time a request, ours and nginx's."""
    lines = [
        "| bytes | realtime: requests/s | processor time | nginx: requests/s | processor time |"
        " requests/s against nginx | processor time against nginx |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for rounds in seen:
        cells = [f"{rounds[0].size:,}", f"{median(r.ours.per_s for r in rounds):,.0f}"]
        cells.append(f"{median(r.ours_cpu_us for r in rounds):.1f} µs")
        pairs = [(r, r.nginx) for r in rounds if r.nginx is not None]
        if pairs:
            cells.append(f"{median(nginx.per_s for _, nginx in pairs):,.0f}")
            cells.append(f"{median(r.nginx_cpu_us for r, _ in pairs):.1f} µs")
            cells.append(f"{median(r.ours.per_s / nginx.per_s for r, nginx in pairs):.2f} ×")
            cells.append(f"{median(r.nginx_cpu_us / r.ours_cpu_us for r, _ in pairs):.2f} ×")
        else:
            cells += ["not installed", "–", "–", "–"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def pours(seen: Mapping[str, Sequence[tuple[Pour, Pour | None]]]) -> list[str]:
    """Frames a second, ours and alpaca-py's, by sockets."""
    lines = [
        "| sockets | realtime: frames/s | processor time a frame | alpaca-py: frames/s |"
        " processor time a frame | ratio of processor time | broker's core busy |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for sockets, rounds in seen.items():
        ours_s = median(ours.per_s for ours, _ in rounds)
        ours_cpu = median(ours.cpu_us for ours, _ in rounds)
        peers = [peer for _, peer in rounds if peer is not None]
        theirs = ["not installed", "–", "–"]
        if peers:
            cpu = median(peer.cpu_us for peer in peers)
            per_s = median(peer.per_s for peer in peers)
            theirs = [f"{per_s:,.0f}", f"{cpu:.0f} µs", f"{cpu / ours_cpu:.2f} ×"]
        cells = [sockets, f"{ours_s:,.0f}", f"{ours_cpu:.0f} µs", *theirs]
        cells.append(f"{median(ours.broker_busy for ours, _ in rounds):.0%}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def drips(seen: Mapping[str, Drip]) -> list[str]:
    """Lateness of events and queries at a fixed rate."""
    lines = [
        "| | events/s | event p50 | event p99 | query p50 | query p99 | core busy |"
        " waited for its core | load's core busy | longest collection | memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {d.rate:,.0f} | {d.p50_ms:.2f} ms | {d.p99_ms:.2f} ms |"
        f" {_ms(d.queries.p50_us)} | {_ms(d.queries.p99_us)} |"
        f" {d.busy:.0%} | {d.waited:.0%} | {d.load_busy:.0%} | {d.pause_most_ms:.0f} ms |"
        f" {d.rss_mb:.0f} MB |"
        for name, d in seen.items()
    ]
    return lines


def growth(seen: Growth) -> list[str]:
    """How cost grows."""
    lines = ["| accounts | orders each | synced after | memory | after every dashboard |"]
    lines.append("| ---: | ---: | ---: | ---: | ---: |")
    lines += [
        f"| {m.accounts:,} | {m.orders} | {m.synced_s:.1f} s | {m.synced_mb:.0f} MB |"
        f" {m.requested_mb:.0f} MB |"
        for m in [*seen.accounts, *seen.orders]
    ]
    lines += ["", "| clients | requests/s | p50 | p99 |", "| ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {count:,} | {load.per_s:,.0f} | {load.p50_us / 1000:.2f} ms |"
        f" {load.p99_us / 1000:.2f} ms |"
        for count, load in seen.readers.items()
    ]
    if seen.events:
        lines += ["", *drips({f"{d.rate:,.0f}/s requested": d for d in seen.events})]
    return lines


def put(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Set a table between its two marks in the page."""
    text = page.read_text()
    mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not mark.search(text):
        raise ValueError(f"{page}: no place marked <!-- {name} --> … <!-- /{name} -->")
    table = "\n".join(lines) + "\n"
    page.write_text(mark.sub(lambda found: found[1] + table + found[2], text))


def _ms(microseconds: float) -> str:
    """In milliseconds; 0 means that nothing was answered at all."""
    return f"{microseconds / 1000:.2f} ms" if microseconds else "no answer"


def _middle(rounds: Sequence[Round]) -> float:
    return median(each.many.per_s for each in rounds)
