"""Print a study's arms, contrasts and report path: `python -m workflow_scripts.commands.show results/demo`."""

import argparse
import sys
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.reporting.console import arms_table


def show(study: Path, step: str = "last") -> str:
    """The text for the terminal.

    Raises:
        PipelineError: the study has no summary or no report yet.
    """
    summary = Artifact(study / "summary" / "summary.manifest.json")
    page = Artifact(study / "report" / "index.manifest.json").path(".html")
    with readable("unreadable summary", summary.manifest_path, "recompute it with snakemake --force summary"):
        scores, contrasts = (pq.read_table(summary.path(suffix)) for suffix in (".parquet", ".contrasts.parquet"))
    return f"{arms_table(scores, contrasts, step)}\nReport: {page}\n"


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.show", description=__doc__)
    parser.add_argument("study", type=Path, help="the study's folder, such as results/demo")
    parser.add_argument("--step", default="last", help="checkpoint step of the arms' table")
    args = parser.parse_args(argv)
    with plain_errors():
        sys.stdout.write(show(args.study, args.step))


if __name__ == "__main__":
    main()
