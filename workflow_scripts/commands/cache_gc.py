"""``faithful-pairs cache-gc``: bound or empty a results folder's cache."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.study.sizes import human, parse_size

if TYPE_CHECKING:
    from workflow_scripts.provenance.gc import Piece, Plan


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days < float("inf"):
        raise ValueError(f"{text!r} is not a number of days")
    return days


def command(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="the results folder")] = Path("results"),
    max_size: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="SIZE",
            help="target size of the cache, such as 500G, 1.5T or 200MiB; default: remove all unused entries",
        ),
    ] = None,
    work_days: Annotated[
        float, typer.Option(parser=_days, metavar="DAYS", help="idle days after which unfinished work is removed")
    ] = 14.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would be removed, and remove nothing")] = False,
) -> None:
    """Bound or empty a results folder's cache.

    What a study below the results folder uses is never touched. Also removed are unfinished work that nothing has
    touched for --work-days, and what killed jobs left. Safe while jobs are running.

    \b
    Examples:
      faithful-pairs cache-gc --max-size 500G --dry-run
      faithful-pairs cache-gc /large/disk/results

    \b
    Exit status:
      0  done
      1  there is no cache, or it can't be brought below --max-size
      2  wrong usage
    """
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance.gc import DAY, collect, plan

    made = plan(results, max_size, work_days * DAY)
    went, stayed = (made.remove, []) if dry_run else collect(results, made.remove)
    sys.stdout.write("\n".join(lines(made, went, stayed, dry_run)) + "\n")
    after = _after(made, went)
    if max_size is not None and after > max_size:
        advice = "studies use the rest: delete a study's folder, or allow more"
        raise PipelineError("cache larger than wanted", results, f"{human(after)} > {human(max_size)}", advice)


def lines(made: "Plan", went: Sequence["Piece"], stayed: Sequence["Piece"], dry: bool) -> list[str]:
    """The report for people: how big the cache is, what is removed by kind, and how many bytes that frees."""
    from workflow_scripts.provenance.gc import KINDS

    text = [f"cache: {human(made.cache)} ({made.cache} bytes), of which studies use {human(made.in_use)}"]
    for kind, what in KINDS.items():
        pieces = [one for one in went if one.kind == kind]
        if pieces:
            freed = sum(one.freed for one in pieces)
            text.append(f"{'would delete' if dry else 'deleted'} {len(pieces)} {what}: {human(freed)} ({freed} bytes)")
    for stage, record in made.spared.items():
        text.append(f"left all entries of {stage} alone: unreadable run record {record}")
    for kind, count in Counter(one.kind for one in stayed).items():
        text.append(f"left {count} {KINDS[kind]} alone: a job uses them now, or they are another user's")
    freed = sum(one.freed for one in went)
    text.append(
        f"{'would free' if dry else 'freed'} {human(freed)} ({freed} bytes); cache then {human(_after(made, went))}"
    )
    return text


def _after(made: "Plan", went: Sequence["Piece"]) -> int:
    return made.cache - sum(one.held for one in went if one.kind == "entry")
