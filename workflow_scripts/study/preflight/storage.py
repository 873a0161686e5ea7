"""Checks whether the jobs can write their results, and whether these fit on the disk."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.cache import NO_LOCKS
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.core.files.names import CACHE, FETCHED, HOSTS, LOGS, STAGING, WORK
from workflow_scripts.core.files.sharing import group_name
from workflow_scripts.stages.source import WORLD
from workflow_scripts.study.estimates.disk import nearest_existing, shortage
from workflow_scripts.study.preflight.findings import Finding, Start

SHARED = (CACHE, f"{CACHE}/{STAGING}", WORK, FETCHED, HOSTS)  # in the results folder
FILES_PER_JOB = 20


def storage_findings(start: Start) -> Iterator[Finding]:
    """Problems with the results folder."""
    if not start.jobs:
        return
    unwritable = list(_unwritable(start))
    yield from unwritable
    if not unwritable:
        yield from _locks(start.results)
        yield from _group(start.results)
    yield from _space(start)
    yield from _shards(start)


def _unwritable(start: Start) -> Iterator[Finding]:
    study = start.results / start.units.study.study
    folders = [start.results, study, study / LOGS]
    for stage in sorted(start.stages):
        folders += [
            study / stage,
            study / LOGS / stage,
            start.results / CACHE / stage,
            start.results / WORK / stage,
        ]
    for folder in [*folders, *(start.results / name for name in SHARED)]:
        nearest = nearest_existing(folder)
        place = folder if nearest == folder else nearest if folder == start.results else None
        if place is not None and not os.access(place, os.W_OK | os.X_OK):
            value = "read-only file system" if _read_only(place) else f"user {os.geteuid()} may not write"
            advice = "change its owner or permissions, or make results a link to a folder of your own"
            yield Finding(PipelineError("no write permission", place, value, advice), True)


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _locks(results: Path) -> Iterator[Finding]:
    """A file system without locks, on which concurrent Snakemake processes would not wait for each other."""
    there = nearest_existing(results)
    handle = os.open(there, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS:
            advice = "mount it with lock support, or never run two commands on these results at the same time"
            yield Finding(PipelineError("no file locks", there, os.strerror(error.errno), advice), False)
        elif error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
            raise
    finally:
        os.close(handle)


def _group(results: Path) -> Iterator[Finding]:
    """A folder that its group may write to, but whose new files would get another group."""
    if not results.is_dir():
        return
    status = results.stat()
    if not status.st_mode & stat.S_IWGRP or status.st_mode & stat.S_ISGID or status.st_gid == os.getegid():
        return
    value = f"{group_name(status.st_gid)} may write, but new files get the group {group_name(os.getegid())}"
    advice = f"run: find {results}/ -type d -exec chmod g+s {{}} +"
    yield Finding(PipelineError("shared folder without setgid bit", results, value, advice), False)


def _space(start: Start) -> Iterator[Finding]:
    error = shortage(start.units, start.results / start.units.study.study, start.running)
    if error is not None:
        yield Finding(error, False)
    there = nearest_existing(start.results)
    status = os.statvfs(there)
    if status.f_files and status.f_favail < FILES_PER_JOB * len(start.jobs):
        value = f"{status.f_favail} free inodes, {len(start.jobs)} jobs write about {FILES_PER_JOB} files each"
        yield Finding(PipelineError("too few inodes", there, value, "remove files there or use another disk"), False)


def _shards(start: Start) -> Iterator[Finding]:
    """More rows than fit into the shards, if the number of rows is known already."""
    if "shard_plan" not in start.stages:
        return
    settings = start.units.study.shards
    groups = _groups(start, settings.group)
    needed = max((sum(-(-rows // settings.rows_per_shard) for rows in part.values()) for part in groups), default=0)
    if needed > settings.shards:
        rows = sum(groups[0].values())
        value = f"{rows} rows need at least {needed} shards of {settings.rows_per_shard}; there are {settings.shards}"
        yield Finding(PipelineError("too few shards", "config, shards.shards", value, f"raise it to {needed}"), True)


def _groups(start: Start, group: str) -> list[Mapping[str, int]]:
    """Rows by group, for groupings no finer than the plan's; empty if the rows are not known yet."""
    study = start.units.study
    if "annotations" not in start.stages:
        path = start.results / study.study / "annotations" / f"rows{MANIFEST}"
        try:
            counts = read_object(path.with_name("rows.json"))
            return [{"": counts["kept"]}] if group == "all" else [counts["subreddits"], counts["years"]]
        except (OSError, Unfit, KeyError):
            return []  # its own job, or the audit, reports the problem
    world, rows = study.demo_world, study.annotations
    if world is None or rows.source.at != WORLD or rows.exclude or rows.exclude_from:
        return []
    if rows.years is not None or rows.subreddits is not None:
        return []
    return [{"": world.images + world.dead_links + world.placeholders + world.html_answers}]
