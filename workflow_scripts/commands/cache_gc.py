"""Bound or empty a results folder's cache: `python -m workflow_scripts.commands.cache_gc --max-size 500G --dry-run`.

What a study below the results folder uses is never touched. Old work folders and what dead jobs left go too. Safe
beside running jobs.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.gc import DAY, KINDS, Piece, Plan, collect, plan
from workflow_scripts.study.sizes import days, human, parse_size


def lines(made: Plan, went: Sequence[Piece], stayed: Sequence[Piece], dry: bool) -> list[str]:
    """The report for people: how big the cache is, what goes by kind, and how many bytes that frees."""
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
    after = made.cache - sum(one.held for one in went if one.kind == "entry")
    text.append(f"{'would free' if dry else 'freed'} {human(freed)} ({freed} bytes); cache then {human(after)}")
    return text


def main(argv: list[str] | None = None) -> None:
    """The command; exit status 1 when the cache cannot be brought below the wanted size."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.cache_gc", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="the results folder")
    parser.add_argument("--max-size", help="target size of the cache, such as 500G; default: delete all unused entries")
    parser.add_argument("--work-days", type=days, default=14.0, help="idle days after which unfinished work is removed")
    parser.add_argument("--dry-run", action="store_true", help="print what would be removed, and remove nothing")
    args = parser.parse_args(argv)
    with plain_errors():
        limit = None if args.max_size is None else parse_size(args.max_size)
        made = plan(args.results, limit, args.work_days * DAY)
        went, stayed = (made.remove, []) if args.dry_run else collect(args.results, made.remove)
        sys.stdout.write("\n".join(lines(made, went, stayed, args.dry_run)) + "\n")
        after = made.cache - sum(one.held for one in went if one.kind == "entry")
        if limit is not None and after > limit:
            advice = "studies use the rest: delete a study's folder, or allow more"
            raise PipelineError("cache larger than wanted", args.results, f"{human(after)} > {human(limit)}", advice)


if __name__ == "__main__":
    main()
