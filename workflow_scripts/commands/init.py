"""``faithful-pairs init``: a folder for a study of your own, without a clone."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.core.errors.text import printed

UNFIT = re.compile(r"[^A-Za-z0-9_-]+")  # for the name of a study
PROFILES = ("default/profile.yaml", "local/profile.yaml", "slurm/profile.yaml", "slurm/partitions.yaml")
SNAKEFILE = """\
# The workflow is that of the installed package faithful-pairs; config.yaml has what this study changes in its settings.
from workflow_scripts.core.digest import PROJECT


include: str(PROJECT / "Snakefile")


workflow.default_target = "all"
"""
CONFIG = """\
# What this study changes in the settings of Faithful Pairs. `faithful-pairs config` lists all keys, and
# `faithful-pairs config pairs.k` explains one. Mappings are merged with the defaults; a list replaces the default list.

study: {study} # results go to results/{study}

compute: {{math_threads: 2, workers: 2}} # cores of a job

annotations:
  source: data/images # an image and a text file with its caption, of the same name; or a table, tars, COCO's JSON
  years: null # all

shards: {{shards: 1, rows_per_shard: 10000, group: all}} # one more for each 10,000 images

# The captions that are compared: yours, the better ones of yours and BLIP-2's, and a control.
arms:
  - {{name: original, kind: original}}
  - {{name: revised, kind: revised, margin: 0.0}}
  - {{name: shuffled, kind: shuffled, base: original, seed: 0}}
judges: [] # more models that score the captions

# Partners of images: those with the nearest caption of an arm.
pairs:
  - {{name: original, arm: original, encoder: mpnet}}
  - {{name: revised, arm: revised, encoder: mpnet}}
  - {{name: shuffled, arm: shuffled, encoder: mpnet}}

pretraining:
  batch_size: 256
  steps: 20000
  warmup_steps: 500
  checkpoint_every: 2000

runs: # a verdict needs three seeds
  - {{method: simclr, pairs: self, augmentation: simclr, seeds: [0, 1, 2]}}
  - {{method: simclr, pairs: original, augmentation: crop, seeds: [0, 1, 2]}}
  - {{method: simclr, pairs: revised, augmentation: crop, seeds: [0, 1, 2]}}
  - {{method: simclr, pairs: shuffled, augmentation: crop, seeds: [0, 1, 2]}}
  - {{method: untrained, pairs: none, augmentation: none, seeds: [0, 1, 2]}}

contrasts: # the question
  - {{name: revised - original, minuend: revised, subtrahend: original, per: [], primary: true}}

datasets: # what the networks are evaluated on; torchvision downloads this one
  - {{name: cifar10, kind: torchvision, torchvision_name: cifar10, source: "torchvision:data/downstream/cifar10"}}
probe_dataset: cifar10
"""


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="a new folder; the study's name, without --demo")],
    demo: Annotated[bool, typer.Option("--demo", help="the demo's study, which needs no data and no GPU")] = False,
) -> None:
    """Make a folder for a study of your own.

    The folder gets a small config.yaml with comments, a Snakefile that runs the installed workflow, and Snakemake's
    profiles, for you to edit. Run Snakemake and the other commands in it. No clone of the project is needed.

    \b
    Examples:
      faithful-pairs init my-study
      faithful-pairs init --demo my-demo

    \b
    Exit status:
      0  made
      1  the folder is not empty, or can't be written
      2  wrong usage
    """
    from workflow_scripts.core.digest import PROJECT
    from workflow_scripts.core.errors import PipelineError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError("existing folder", folder, "it is not empty", "give the name of a new folder")
    study = UNFIT.sub("-", folder.absolute().name).strip("-_")[:64] or "study"
    config = CONFIG.format(study=study)
    if demo:
        config = (PROJECT / "profiles/demo/study.yaml").read_text()
        config = config.replace("$schema=../../docs/config.schema.json", f"$schema={PROJECT}/docs/config.schema.json")
    files = {f"profiles/{name}": (PROJECT / "profiles" / name).read_text() for name in PROFILES}
    for name, text in {"config.yaml": config, "Snakefile": SNAKEFILE, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    steps = ["faithful-pairs check", "snakemake -n --quiet rules", "snakemake --profile profiles/local"]
    edit = [] if demo else ["edit config.yaml"]
    lines = [f"{folder}: config.yaml, Snakefile, profiles", "next:"]
    sys.stdout.write(printed([*lines, *(f"  {step}" for step in [f"cd {folder}", *edit, *steps])]))
