"""Checks whether the jobs can write their results, and whether these fit on the disk."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.core.cache import NO_LOCKS
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import CACHE, FETCHED, HOSTS, LOGS, STAGING, WORK
from workflow_scripts.core.files.sharing import group_name
from workflow_scripts.study.estimates.disk import nearest_existing, shortage
from workflow_scripts.study.preflight.findings import Finding, Start

SHARED = (CACHE, f"{CACHE}/{STAGING}", WORK, FETCHED, HOSTS)  # in the results folder


def storage_findings(start: Start) -> Iterator[Finding]:
    """Problems with the results folder."""
    if not start.jobs:
        return
    unwritable = list(_unwritable(start))
    yield from unwritable
    if not unwritable:
        yield from _locks(start.results)
        yield from _group(start.results)
    if (error := shortage(start.units, start.folder, start.running)) is not None:
        yield Finding(error, False)


def _unwritable(start: Start) -> Iterator[Finding]:
    study = start.folder
    folders = [start.results, study, study / LOGS]
    for stage in sorted(start.stages):
        folders += [study / stage, study / LOGS / stage, *(start.results / name / stage for name in (CACHE, WORK))]
    for folder in [*folders, *(start.results / name for name in SHARED)]:
        nearest = nearest_existing(folder)
        place = folder if nearest == folder else nearest if folder == start.results else None
        if place is not None and not os.access(place, os.W_OK | os.X_OK):
            read_only = os.statvfs(place).f_flag & os.ST_RDONLY
            value = "read-only file system" if read_only else f"user {os.geteuid()} may not write"
            advice = "change its owner or permissions, or make results a link to a folder of your own"
            yield Finding(PipelineError("no write permission", place, value, advice), True)


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
