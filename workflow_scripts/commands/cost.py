"""``faithful-pairs cost``: estimate the cost of a study on a cluster."""

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="overlay of config.yaml, as given to snakemake; repeat it for several"),
]
"""The option of commands that read the config of a study."""


def positive(text: str) -> float:
    """A number on the command line that is above 0 and not infinite."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError(f"{text!r} is not a positive number")
    return number


def command(
    configfile: ConfigFiles = None,
    rows: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="annotation rows; default: RedCaps' two sizes, or what shards hold"),
    ] = None,
    tflops: Annotated[
        float | None,
        typer.Option(parser=positive, metavar="N", help="sustained speed of your GPU in TFLOP/s; default: 40"),
    ] = None,
) -> None:
    """Estimate the cost of a study on a cluster.

    Prints jobs, core hours and GPU hours of every stage. An hour counts for every core and GPU that a job holds, busy
    or waiting. Jobs are Snakemake's; SLURM gets fewer, as the slurm profile groups them (a group's jobs are
    counted for its first stage). docs/cost.md gives the sources.

    \b
    Examples:
      faithful-pairs cost
      faithful-pairs cost --configfile my-study.yaml --rows 500000 --tflops 60

    \b
    Exit status:
      0  printed
      1  a config file is missing or faulty
      2  wrong usage
    """
    from workflow_scripts.study.estimates.cost import CPU_TFLOPS, KEPT, SIZES, TFLOPS, costs, fixed_rows, table
    from workflow_scripts.study.methods import is_redcaps
    from workflow_scripts.study.plan import configured

    units, speed = configured(configfile or []), tflops or TFLOPS
    study = units.study
    redcaps, on_cpu, shards = is_redcaps(study), study.compute.device == "cpu", study.shards
    own = rows or fixed_rows(study) or (None if redcaps else shards.shards * shards.rows_per_shard)
    sizes = {study.study: own} if own else SIZES
    texts = [table(f"{name} ({size:,} rows)", costs(units, size, speed)) for name, size in sizes.items()]
    kept = f" {KEPT:.0%} of RedCaps' images still exist;" if redcaps else ""
    also = f" (on a CPU: {CPU_TFLOPS:g} TFLOP/s per core in trainings, else the GPU's)" if on_cpu else ""
    texts.append(f"Estimates: {speed:g} TFLOP/s sustained per GPU{also};{kept} docs/cost.md has each rate's source.\n")
    sys.stdout.write("\n\n".join(texts))
