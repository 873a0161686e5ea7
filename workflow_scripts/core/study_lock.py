"""One run of a study at a time, unless several would make the same artifacts.

Artifacts are addressed by name, so two runs with different settings would replace what the other's later jobs read. The
main process of a run therefore locks ``results/.runs/<study>.json`` until it ends: shared, since further runs that make
the same may join. The file says what they make, from which config, and who they are.

Only a process that has locked the file exclusively, so that nobody else holds it, writes another plan into it. Jobs
lock it shared while they publish, and check that it still holds the plan of their own run: a job that outlives its run
must not publish into a study that another run has taken over. A lock ends with its process, whatever ends that.
"""

import fcntl
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

    None where the file system has no locks.

    Args:
        plan: a digest of all settings that decide artifacts.
        code: a digest of the code that makes them.
        config: the whole config, from which an error says what differs.

    Raises:
        PipelineError: another run that would make other artifacts holds the study.
    """
    path = _file_of(results, study)
    make_folders(path.parent)
    stream = open(path, "a+b", opener=open_plain)  # noqa: SIM115 - held until this process ends
    ours = {"plan": plan, "code": code, "config": dict(config)}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        alone = _lock(stream, fcntl.LOCK_EX)
        if alone is None:
            stream.close()
            return None
        if alone:
            stream.truncate(0)
            stream.write(canonical(ours).encode())
        # Between the exclusive lock and the shared one, another process may come first: so the plan is read again.
        if _lock(stream, fcntl.LOCK_SH):
            theirs, holders = _read(stream)
            if (theirs.get("plan"), theirs.get("code")) == (plan, code):
                stream.write(f"\n{holder_text()}".encode())
                stream.flush()
                os.environ[VARIABLE] = plan
                return stream
            fcntl.flock(stream, fcntl.LOCK_UN)
            if time.monotonic() > deadline:
                stream.close()
                value = f"{holders} works on it {_difference(ours, theirs)}"
                raise PipelineError("study in use", results / study, value, ADVICE)
        time.sleep(0.05)


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
        theirs, holders = _read(stream)
        if theirs.get("plan") != os.environ[VARIABLE]:
            value = f"the run of this job has ended, and {holders} works on the study with other settings"
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


def _read(stream: BinaryIO) -> tuple[dict[str, Any], str]:
    """What a file says, and who have held it since; nothing of one whose writer was killed."""
    stream.seek(0)
    first, *holders = stream.read().split(b"\n")
    try:
        content = parse_object(first)
    except Unfit:
        content = {}
    return content, plain("; ".join(name.decode(errors="replace") for name in holders[-SHOWN:])) or "another run"


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
