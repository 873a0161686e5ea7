"""``faithful-pairs cache-gc``: shrink or empty a results folder's cache."""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from humanize import naturalsize

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.removal.gc import Piece, Plan


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]I?)?B?")
_UNITS = {"": 1, **{letter: 1000**power for power, letter in enumerate("KMGTP", start=1)}}
_UNITS |= {f"{letter}I": 1024**power for power, letter in enumerate("KMGTP", start=1)}


def parse_size(text: str) -> int:
    """Bytes of ``500G``, ``1.5T``, ``200 MiB`` or ``0``; K, M, G, T, P are powers of 1000, Ki, Mi... of 1024.

    Raises:
        ValueError: it is not such a number.
    """
    match = _SIZE.fullmatch(text.strip().upper())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it like 500G, 1.5T or 200MiB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


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
    """Shrink or empty a results folder's cache.

    Entries that a study in the results folder uses are never removed. Unfinished work that has been idle for
    --work-days and files left by killed jobs are removed too. Safe while jobs are running.

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
    from workflow_scripts.removal.gc import DAY, collect, plan

    made = plan(results, max_size, work_days * DAY)
    went, stayed = (made.remove, []) if dry_run else collect(results, made.remove)
    sys.stdout.write(printed(lines(made, went, stayed, dry_run)))
    after = _after(made, went)
    if max_size is not None and after > max_size:
        advice = "studies use the rest: delete a study's folder, or raise --max-size"
        value = f"{naturalsize(after)} > {naturalsize(max_size)}"
        raise PipelineError("cache larger than --max-size", results, value, advice)


def lines(made: "Plan", went: Sequence["Piece"], stayed: Sequence["Piece"], dry: bool) -> list[str]:
    """The report as text: the size of the cache, what is removed by kind, and how many bytes that frees."""
    from workflow_scripts.removal.gc import KINDS

    text = [f"cache: {_exact(made.cache)}, of which studies use {naturalsize(made.in_use)}"]
    for kind, what in KINDS.items():
        if pieces := [piece for piece in went if piece.kind == kind]:
            deleted = f"{'would delete' if dry else 'deleted'} {len(pieces)} {what}"
            text.append(f"{deleted}: {_exact(sum(one.freed for one in pieces))}")
    for stage, record in made.spared.items():
        text.append(f"kept all entries of {stage}: unreadable run record {record}")
    for kind, count in Counter(one.kind for one in stayed).items():
        text.append(f"kept {count} {KINDS[kind]}: in use by a job, or owned by another user")
    freed = _exact(sum(one.freed for one in went))
    text.append(f"{'would free' if dry else 'freed'} {freed}; cache then {naturalsize(_after(made, went))}")
    return text


def _exact(size: int) -> str:
    return f"{naturalsize(size)} ({size} bytes)"


def _after(made: "Plan", went: Sequence["Piece"]) -> int:
    return made.cache - sum(one.held for one in went if one.kind == "entry")
