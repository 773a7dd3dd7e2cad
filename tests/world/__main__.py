"""Commands over the world: `python -m tests.world simulate|mutants …`; `scripts/` calls them."""

import json
import sys
from itertools import chain
from pathlib import Path
from typing import get_args

import click
import msgspec

from tests.world.history import Outcome, play
from tests.world.many import Summary, survey
from tests.world.mutants import MUTANTS
from tests.world.mutation import judge
from tests.world.report import describe
from tests.world.schedule import FOUND, Size, decode, draw, encode
from tests.world.shrink import shrink


def _seeds(_: object, __: object, text: str) -> range:
    first, _, end = text.partition("..")
    try:
        return range(int(first), int(end) if end else int(first) + 1)
    except ValueError:
        raise click.BadParameter("a seed or a range without its end, as 0..200") from None


@click.group()
def main() -> None:
    """Simulator and daemon together in virtual time, under seeded faults."""


@main.command()
@click.option("--seeds", default="0..200", callback=_seeds, help="A..B, without B.")
@click.option("--size", type=click.Choice(get_args(Size)), default="small", show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Processes.")
@click.option("--stop", default=10, show_default=True, help="End after so many failures.")
@click.option("--schedule", type=click.Path(exists=True, path_type=Path), help="A schedule's JSON.")
@click.option("--trace", is_flag=True, help="Print everything that happens, for one seed.")
@click.option("--print-schedule", is_flag=True, help="Print the schedule's JSON and end.")
def simulate(
    seeds: range,
    size: Size,
    jobs: int,
    stop: int,
    schedule: Path | None,
    trace: bool,
    print_schedule: bool,
) -> None:
    """Live through histories; exit 1 if one breaks a promise."""
    if print_schedule:
        click.echo(encode(draw(seeds[0], size)))
    elif schedule is not None or trace:
        drawn = draw(seeds[0], size) if schedule is None else decode(schedule.read_bytes())
        _tell_one(play(drawn, keep=None if trace else 60), size, trace=trace)
    else:
        summary = survey(seeds, size, jobs, click.echo, stop=stop)
        _tell_summary(summary)
        sys.exit(1 if summary.failed else 0)


@main.command()
@click.option("--seeds", default="0..200", callback=_seeds, help="A..B, without B.")
@click.option("--size", type=click.Choice(get_args(Size)), default="small", show_default=True)
def first_failure(seeds: range, size: Size) -> None:
    """Print, as JSON, the first history that breaks a promise, and which; exit 1 if there is one.

    After the seeds come the schedules that were found or thought up.
    """
    schedules = chain(
        ((f"seed {seed}", draw(seed, size)) for seed in seeds),
        ((path.stem, decode(path.read_bytes())) for path in FOUND),
    )
    for name, schedule in schedules:
        outcome = play(schedule)
        if outcome.broken is not None:
            click.echo(json.dumps({"history": name, "broken": outcome.broken}))
            sys.exit(1)
    click.echo(json.dumps({"history": None, "broken": None}))


@main.command()
@click.argument("names", nargs=-1)
@click.option("--seeds", default="0..200", callback=_seeds, help="A..B, without B.")
@click.option("--jobs", default=2, show_default=True, help="Mutants at once.")
@click.option("--list", "listing", is_flag=True, help="Print the names and end.")
def mutants(names: tuple[str, ...], seeds: range, jobs: int, listing: bool) -> None:
    """Break one rule at a time; exit 1 if the world does not notice."""
    if listing:
        click.echo("\n".join(MUTANTS))
        return
    chosen = [m for name, m in MUTANTS.items() if not names or any(n in name for n in names)]
    holes = 0
    for verdict in judge(chosen, seeds, jobs):
        holes += verdict.history is None
        click.echo(str(verdict))
    click.echo(f"{len(chosen) - holes} of {len(chosen)} caught within {len(seeds)} seeds")
    sys.exit(1 if holes else 0)


def _tell_one(outcome: Outcome, size: Size, *, trace: bool) -> None:
    if trace:
        click.echo("\n".join(outcome.last_lines))
    if outcome.broken is None:
        click.echo(f"kept every promise, trace {outcome.digest}")
        click.echo(msgspec.json.encode(outcome.figures))
    else:
        click.echo(describe(outcome, None if trace else shrink(outcome), size))
        sys.exit(1)


def _tell_summary(summary: Summary) -> None:
    figures = summary.figures
    each_ms = 1000 * summary.took_s / max(1, summary.seeds)
    click.echo(
        f"{summary.seeds} histories in {summary.took_s:.0f} s ({each_ms:.0f} ms each):"
        f" {figures['acts']} faults, {figures['events']} events, {figures['reads']} reads,"
        f" {len(summary.failed)} broken {dict(summary.broken) or ''}".rstrip()
    )
    if summary.failed:
        click.echo(f"broken seeds: {' '.join(map(str, summary.failed))}")


if __name__ == "__main__":
    main(prog_name="python -m tests.world")
