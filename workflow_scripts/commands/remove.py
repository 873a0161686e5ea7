"""Remove what a study's removal list leaves behind: `python -m workflow_scripts.commands.remove results/redcaps2020`.

Put image ids or urls into `annotations.exclude` (or a file of them into `annotations.exclude_from`) and run Snakemake:
the study is rerun without these rows, and this command runs at the end by itself. It removes cache entries, work
folders, fetched bytes, logs and results of earlier configs that may hold them. The annotation zip, and the source
artifacts that hold it, are inputs: they stay as they are. Exit status 2: results of other studies hold the rows still.
"""

import argparse
import logging
import sys
from pathlib import Path

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.removal.removal import removal_of, remove_traces


def remove(study: Path) -> tuple[str, bool]:
    """What was removed, as text; and whether nothing is left that should be gone.

    Raises:
        PipelineError: see :func:`workflow_scripts.removal.removal.remove_traces`.
    """
    results, name = study.parent, study.name
    listed = len(removal_of(results, name))
    if not listed:
        return f"{study} was made with no removal list; add to annotations.exclude and run snakemake\n", True
    gone = remove_traces(results, name)
    lines = [
        f"{listed} entries on the removal list of {study}: removed {gone.urls} records of fetched bytes, "
        f"{gone.artifacts} old results, {gone.entries} cache entries, {gone.folders} work folders, {gone.logs} logs"
    ]
    if gone.unknown:
        lines.append(f"{gone.unknown} of the entries name no row of the annotations: check how they are written")
    if gone.elsewhere:
        lines.append("these results of other studies may hold the rows too; give these studies the list and run them:")
        lines += [f"  {path}" for path in gone.elsewhere]
    return "\n".join(lines) + "\n", not gone.elsewhere


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_scripts.commands.remove",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", type=Path, help="the study's folder, such as results/demo")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    with plain_errors():
        text, all_gone = remove(Path(parser.parse_args(argv).study.absolute()))
    sys.stdout.write(text)
    if not all_gone:
        raise SystemExit(2)


if __name__ == "__main__":
    main()
