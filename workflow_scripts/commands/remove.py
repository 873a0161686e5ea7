"""``faithful-pairs remove``: remove all traces of the rows on a study's removal list."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.removal.shown import Learned

STILL_HELD = 2


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
) -> None:
    """Remove what was made from rows on a study's removal list.

    Put image ids or URLs into annotations.exclude (or a file of them into annotations.exclude_from) and run Snakemake:
    the study is rerun without these rows, and this command runs by itself at the end. It removes cache entries, work
    folders, fetched bytes, logs, results of earlier configs that may hold the rows, and copies of such shards and packs
    on this node (pretraining.stage_in); folders of copies on other nodes are named. The annotation zip, and the
    source artifacts that hold it, are inputs and stay as they are. Label sheets and exported pages that show the rows
    are named, so that you can delete them and their copies. They are found by the keys in the folder labels of a study
    and in the folder that its caption_labels.source names, and by the records in a study's folder copies. Exported
    networks can't forget an image: the cards in their folders get the keys of the removed images that they learned
    from, and the date. Sheets, pages and cards are compared in every call, also if a record is missing by then.

    Nothing else is deleted: files that are not the project's own, people's ratings, and all that a symbolic link leads
    to are kept, and named where they may show the rows.

    \b
    Examples:
      faithful-pairs remove results/redcaps2020

    \b
    Exit status:
      0  nothing is left
      1  the study has no annotations yet, or a file can't be removed
      2  results of other studies, sheets, pages, unmarked networks, other nodes or files that are not the project's
         own may still hold the rows, or wrong usage
    """
    from workflow_scripts.core.runtime.job_log import log_to_stderr

    log_to_stderr()
    text, all_removed = remove(study.absolute())
    sys.stdout.write(text)
    if not all_removed:
        raise typer.Exit(STILL_HELD)


def remove(study: Path) -> tuple[str, bool]:
    """Describe what was removed; also return whether nothing is left to remove.

    Raises:
        PipelineError: see :func:`workflow_scripts.removal.removal.remove_listed`.
    """
    from workflow_scripts.removal.removal import removal_of, remove_listed
    from workflow_scripts.removal.shown import read_known

    results, name = study.parent, study.name
    listed = len(removal_of(results, name))
    if not listed and not read_known(results, name).ids:
        line = f"{study} was made without a removal list; add entries to annotations.exclude and run snakemake"
        return printed([line]), True
    gone = remove_listed(results, name)
    lines = [
        f"{listed} entries on the removal list of {study}: removed {gone.urls} records of fetched bytes, "
        f"{gone.artifacts} old results, {gone.entries} cache entries, {gone.folders} work folders, {gone.logs} logs, "
        f"{gone.indexes} indexes of the browser, {gone.copies} copies of shards or packs on this node"
    ]
    if gone.unknown:
        lines.append(f"{gone.unknown} of the entries match no row of the annotations: check their spelling")
    marked, unmarked = _mark(gone.networks)
    lines += marked
    left = {
        "other studies may hold the rows too; add the list to their configs and run them again:": gone.elsewhere,
        "sheets or pages show the rows; delete them, all copies, and their keys and records:": gone.sheets,
        "copies of shards or packs may remain; the next training on that node removes them, or this command there:": (
            gone.nodes
        ),
        "exported networks learned from removed images, but their cards can't be updated:": unmarked,
        "keys or records can't be read; check by hand whether their sheets or pages show the rows:": gone.unread,
        "these files are not the project's own and are kept; check by hand whether they show the rows:": gone.kept,
    }
    for what, items in left.items():
        lines += [what, *(f"  {item}" for item in items)] if items else []
    return printed(lines), not any(left.values())


def _mark(networks: "Sequence[Learned]") -> tuple[list[str], list[str]]:
    """List the removed images in the cards of exported networks; lines for those that were marked, and for others."""
    from datetime import UTC, datetime

    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.export.folder import note_removed, unlisted

    marked, unmarked = [], []
    day = datetime.now(UTC).date().isoformat()
    for network in networks:
        if not network.keys:
            if count := unlisted(network.folder, network.weights, network.ids):
                what = f"{count} removed images are not in its card, and nothing says which: its record is missing"
                unmarked.append(f"{network.folder}: {what} ({network.record})")
            continue
        try:
            new = note_removed(network.folder, network.weights, network.keys, day)
        except PipelineError as error:
            unmarked.append(f"{error} (record: {network.record})")
            continue
        if new:
            marked.append(f"{network.folder}: its network learned from {new} removed images, which its card now lists")
    return marked, unmarked
