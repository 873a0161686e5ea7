"""One run of a study at a time.

Artifacts are addressed by name, so two runs with different settings would replace what the other's later jobs read, and
Snakemake removes a stale output before it starts the job, also if another run has just made it. The main process of a
run therefore locks ``results/.runs/<study>.lock`` until it ends. ``<study>.json`` says what it makes, from which
config, and who it is: a run that would make the same waits, since it then finds all or most of it made; another one is
refused.

Jobs lock ``<study>.json`` shared while they publish, and check that it holds the plan of their own run: a job that
outlives its run must not publish into a study that another run has taken over. A lock ends with its process, whatever
ends that.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from workflow_scripts.core.cache import NO_LOCKS
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import plain
from workflow_scripts.core.files.bounded_json import Unfit, parse_object
from workflow_scripts.core.files.durable import make_folders
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.core.files.plain import open_plain
from workflow_scripts.core.files.sharing import holder_text

RUNS = ".runs"  # in a results folder: <study>.json
VARIABLE = "FAITHFUL_PAIRS_RUN"  # the plan of a run, in the environment of its jobs
PATIENCE_S = 5.0  # other jobs hold the file exclusively, or while they publish, for less
SHOWN = 3  # settings in a message
LONGEST = 60  # characters of a value in it
ADVICE = "wait until it has ended, or set another `study:`"


def hold_study(results: Path, study: str, plan: str, code: str, config: Mapping[str, Any]) -> BinaryIO | None:
    """Lock a study for this process and the jobs that it starts; the open file that is returned holds the lock.

    Waits for another run that makes the same artifacts. None where the file system has no locks.

    Args:
        plan: a digest of all settings that decide artifacts.
        code: a digest of the code that makes them.
        config: the whole config, from which an error says what differs.

    Raises:
        PipelineError: another run that would make other artifacts holds the study.
    """
    path = _file_of(results, study)
    make_folders(path.parent)
    ours = {"plan": plan, "code": code, "config": dict(config)}
    stream = open(path.with_suffix(".lock"), "ab", opener=open_plain)  # noqa: SIM115 - held until this process ends
    deadline, waits = time.monotonic() + PATIENCE_S, False
    while (locked := _lock(stream, fcntl.LOCK_EX)) is False:
        theirs, holder = _read(path)
        if (theirs.get("plan"), theirs.get("code")) == (plan, code):
            if not waits:
                logging.warning("waiting for the run of %s: it works on %s with the same settings", holder, study)
            waits = True
        elif time.monotonic() > deadline:
            stream.close()
            value = f"{holder} works on it {_difference(ours, theirs)}"
            raise PipelineError("study in use", results / study, value, ADVICE)
        time.sleep(0.05)
    if locked is None:
        stream.close()
        return None
    try:
        _write(path, ours)
    except BaseException:
        stream.close()
        raise
    os.environ[VARIABLE] = plan
    return stream


def _write(path: Path, ours: Mapping[str, Any]) -> None:
    """Note the plan, as soon as no job of an ended run publishes."""
    with open(path, "ab", opener=open_plain) as stream:
        deadline = time.monotonic() + PATIENCE_S
        while _lock(stream, fcntl.LOCK_EX) is False:
            if time.monotonic() > deadline:
                raise PipelineError("study in use", path, "a job of an ended run publishes", ADVICE)
            time.sleep(0.05)
        stream.truncate(0)
        stream.write(f"{canonical(ours)}\n{holder_text()}".encode())


@contextmanager
def still_ours(results: Path, study: str) -> Iterator[None]:
    """Keep other runs from taking over a study while a job of a run publishes.

    A stage that was started by hand belongs to no run, and publishes in any case.

    Raises:
        PipelineError: a run with other settings has taken over the study.
    """
    path = _file_of(results, study)
    if VARIABLE not in os.environ or not path.exists():
        yield
        return
    with open(path, "rb", opener=open_plain) as stream:
        deadline = time.monotonic() + PATIENCE_S
        while _lock(stream, fcntl.LOCK_SH) is False and time.monotonic() < deadline:
            time.sleep(0.01)
        theirs, holder = _read(path)
        if theirs.get("plan") != os.environ[VARIABLE]:
            value = f"the run of this job has ended, and {holder} works on the study with other settings"
            raise PipelineError("study taken over", path, value, ADVICE)
        yield


def _file_of(results: Path, study: str) -> Path:
    return results / RUNS / f"{study}.json"


def _lock(stream: BinaryIO, kind: int) -> bool | None:
    """Whether the lock was free; None where the file system has no locks."""
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return True


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """The plan in a file, and whose it is; nothing of one whose writer was killed, or has yet to write."""
    try:
        with open(path, "rb", opener=open_plain) as stream:
            first, _, holder = stream.read().partition(b"\n")
        return parse_object(first), plain(holder.decode(errors="replace"))
    except (FileNotFoundError, Unfit):
        return {}, "another run"


def _difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """In which settings two runs differ, as a clause."""
    here, there = (dict(_values("", run.get("config", {}))) for run in (ours, theirs))
    names = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if ours["plan"] == theirs.get("plan") or not names:
        return "with other code"
    told = [f"{name} {there.get(name, 'not set')}, here {here.get(name, 'not set')}" for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"with other settings ({'; '.join(told)}{more})"


def _values(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The values in a config by dotted name, shortened."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield name, canonical(value)[:LONGEST]
        return
    for key, one in inner:
        yield from _values(f"{name}.{key}".lstrip("."), one)
