"""``faithful-pairs check``: what a study lacks, and what it would cost, before anything is started."""

import math
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.core.errors.text import plain, printed

if TYPE_CHECKING:
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.study.preflight.findings import Start
    from workflow_scripts.study.units import Units

WIDTH, INDENT = 80, 9


def command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="STUDY.yaml", help="overlays of config.yaml, in order; default: none"),
    ] = None,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="jobs will run on a cluster: check what they need there, not here")
    ] = False,
) -> None:
    """Say what a study lacks and what it would cost.

    Prints mistakes in the config with file, line and key: those of values first, then of names, runs and contrasts;
    sources that are missing; captions of other images; models whose names no library has; the number of jobs that would
    run; their cost; finished artifacts that would be recomputed, and why; which runs the primary contrasts compare, and
    the smallest effects that they can find; and whether the disk has the space. Starts and writes nothing.

    \b
    Examples:
      faithful-pairs check my-study.yaml
      faithful-pairs check profiles/demo/study.yaml profiles/demo/resnet18.yaml
      faithful-pairs check --slurm my-study.yaml

    \b
    Exit status:
      0  the study can start; there may be warnings
      1  it can't: a line that starts with "error:" says why
      2  wrong usage
    """
    from workflow_scripts.acquisition.annotations.preview import NO_ROWS
    from workflow_scripts.core.code_equivalence import accepted
    from workflow_scripts.core.errors import PipelineErrors
    from workflow_scripts.study.active_config import base_files
    from workflow_scripts.study.config.files import read_config
    from workflow_scripts.study.config.study import load_study
    from workflow_scripts.study.estimates.power import NO_SET
    from workflow_scripts.study.freshness import Freshness
    from workflow_scripts.study.plan import jobs_to_run, planned_jobs
    from workflow_scripts.study.preflight.check import findings
    from workflow_scripts.study.preflight.findings import Start
    from workflow_scripts.study.snakemake.startup import check_folders
    from workflow_scripts.study.units import Units

    config, results = read_config([*base_files(), *(files or [])]), Path("results")
    units = Units(load_study(config), accepted(results))
    check_folders(results)
    planned = planned_jobs(units, results / units.study.study)
    freshness = Freshness(results, units)
    running = jobs_to_run(freshness, planned)
    start = Start(units, results, running, local=not slurm, lock_file=config.lock_file)
    found = findings(start)
    errors = [one.error for one in found if one.certain]
    stale = [part for line in freshness.stale(running) for part in _wrapped("stale", line)]
    sys.stdout.write(printed([*summary(start, len(planned)), *stale]))
    sys.stdout.write(printed(_warnings(one.error for one in found if not one.certain)))
    if errors:
        sys.stdout.flush()
        raise PipelineErrors(errors)
    useless = [
        f"{finding.error.what}: {finding.error.value}" for finding in found if finding.error.what in (NO_ROWS, NO_SET)
    ]
    last = f"{units.study.study} can start{', but ' if useless else ''}{'; '.join(useless)}"
    sys.stdout.write(printed(textwrap.wrap(plain(last), WIDTH, break_long_words=False, break_on_hyphens=False)))


def summary(start: "Start", planned: int) -> list[str]:
    """Lines with jobs, cost, effects and space.

    Args:
        planned: number of the study's jobs, whether they would run or not.
    """
    parts = {"jobs": [_jobs(start, planned)], "cost": [_cost(start)]}
    parts |= {"effects": list(_effects(start.units)), "space": [_space(start)]}
    named = [(name if text is texts[0] else "", text) for name, texts in parts.items() for text in texts]
    return [line for name, text in named for line in _wrapped(name, text)]


def _jobs(start: "Start", planned: int) -> str:
    running, done = len(start.jobs), planned - len(start.jobs)
    finished = f"; {done:,} {'is' if done == 1 else 'are'} finished" if done else ""
    return f"{running:,} in {len(start.stages)} stages{finished}" if running else "none: everything is finished"


def _cost(start: "Start") -> str:
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.runtime.environment import resolve_device
    from workflow_scripts.study.estimates.cost import TFLOPS, costs, fixed_rows, hours
    from workflow_scripts.study.estimates.requests import Requests
    from workflow_scripts.study.preflight.sources import counted_images
    from workflow_scripts.study.terminal.jobs import counted

    units = start.units
    rows = fixed_rows(units.study) or Requests(units, start.folder).rows
    with suppress(PipelineError):  # a finding says so
        if (known := counted_images(start)) and known[0]:
            rows = min(rows, known[0])
    device = resolve_device(units.study.compute.device) if start.local else None
    lines = costs(units, rows, running=start.running, device=device)
    cores, gpus = sum(line.core_hours for line in lines), sum(line.gpu_hours for line in lines)
    shown = counted(math.ceil(60 * cores), "core minute") if cores < 1 else f"{hours(cores)} core hours"
    shown += f", {hours(gpus)} GPU hours at {TFLOPS:g} TFLOP/s" if gpus else ""
    here, longer = (" on this CPU", "; large captioners and encoders take longer") if device == "cpu" else ("", "")
    rate = "" if units.study.compute.device == "cpu" else " with GPUs"
    each = f"By stage, on a cluster{rate}: faithful-pairs cost --configfile FILE --rows {rows}"
    return f"about {shown}{here} for at most {rows:,} images{longer}. {each}"


def _effects(units: "Units") -> Iterator[str]:
    from workflow_scripts.study.estimates.power import NO_SET, assumed, chance, powers

    every, known = powers(units), chance(units)
    deviation = assumed(known)[0]
    found = [power for power in every if power.reason != NO_SET]  # a warning names the others
    for one in found:
        runs = f"; compares {one.compares}" if one.comparison.sides else ""
        if one.reason:
            yield f"{one.name}: {one.reason}{runs}"
            continue
        yield f"{one.name}: from {one.effect * deviation:.3g} points, if only seeds deviate, by {deviation:.1f}{runs}"
    if known and known[1] == deviation and any(not power.reason for power in found):
        yield (
            f"scores of about {known[0]:,} test images deviate by up to {known[1]:.1f} points by chance, so seeds may "
            "well deviate as much; differences between classes make the effects that can be found larger still"
        )
    elif known is None and any(not power.reason for power in found):
        yield "small test sets deviate far more: after a first run, see the column detectable of summary.contrasts.csv"
    if not every:
        yield "no primary contrast, so no verdict"


def _space(start: "Start") -> str:
    import shutil

    from humanize import naturalsize

    from workflow_scripts.study.estimates.disk import nearest_existing, remaining

    need = sum(remaining(start.units, start.folder, start.running).values())
    free = shutil.disk_usage(nearest_existing(start.results)).free
    return f"at most {naturalsize(need)} needed, {naturalsize(free)} free in {start.results}"


def _warnings(found: "Iterable[PipelineError]") -> Iterator[str]:
    """The first warning of each kind, and how many more there are of it."""
    kinds: dict[str, list[PipelineError]] = {}
    for error in found:
        kinds.setdefault(error.what, []).append(error)
    for first, *more in kinds.values():
        yield from _wrapped("warning", f"{first}{f' (and {len(more)} more of this kind)' if more else ''}")


def _wrapped(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{name:<{INDENT}}{plain(text)}",
        WIDTH,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
