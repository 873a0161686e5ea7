"""Machine, checkout, times and memory of a computation, for run records. Unknown values are null, never guessed."""

import hashlib
import os
import platform
import resource
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from workflow_scripts.core.digest import PROJECT, ROOT
from workflow_scripts.core.runtime.environment import package_field, package_records, versions
from workflow_scripts.core.runtime.gpu import ask, visible_gpus
from workflow_scripts.core.runtime.precision import TF32, current_switches
from workflow_scripts.core.runtime.variables import THREAD_VARIABLES, recorded_variables

DETERMINISM_VARIABLES = ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG", TF32, *THREAD_VARIABLES)
# The same changes give the same text under any git configuration.
_PLAIN_DIFF = ("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "diff.algorithm=myers")
_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--full-index", "-U3", "HEAD")


def machine(packages: Sequence[str], device: str) -> dict[str, Any]:
    """Host, system, processor, GPUs, Python, packages, determinism and SLURM job of this process.

    To be called after the computation, since it inspects the loaded modules.

    Args:
        packages: those that the stage declares; they are listed even when this process did not load them.
        device: ``cpu`` or ``cuda``; GPUs are queried only if they were used.
    """
    modules = sys.modules.keys() - sys.stdlib_module_names
    loaded = frozenset(name.lower() for name in modules if "." not in name and not name.startswith("_"))
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **_packages(frozenset(packages), loaded),
        "cpu_model": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        **cards(device),
        "determinism": determinism(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


@cache
def _packages(declared: frozenset[str], loaded: frozenset[str]) -> dict[str, Any]:
    """``packages`` and ``package_records``: of the declared packages, and of those with the name of a loaded module.

    The list may be incomplete, but is never wrong. Looking everything up takes a tenth of a second.
    """
    names = set(declared)
    for name in loaded:
        with suppress(metadata.PackageNotFoundError, ValueError):
            names.add(package_field(name, "Name") or name)
    found = versions(sorted(names))
    return {"packages": found, "package_records": package_records(found)}


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str | None:
    """The processor's name as Linux reports it."""
    with suppress(OSError):
        for line in info.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return None


def cards(device: str) -> dict[str, Any]:
    """``gpu_model`` (names of the visible GPUs) and ``driver``, both null on the CPU."""
    gpus = visible_gpus() if device == "cuda" else []
    return {"gpu_model": [gpu.name for gpu in gpus] or None, "driver": gpus[0].driver if gpus else None}


def determinism() -> dict[str, Any]:
    """Variables and switches that determine whether the same input gives the same bytes; torch's only if it is loaded.

    The switches are those at the end of the stage; a stage that sets one temporarily records that itself.
    """
    found: dict[str, Any] = {name: os.environ.get(name) for name in DETERMINISM_VARIABLES} | recorded_variables()
    if torch := sys.modules.get("torch"):
        found["torch_threads"] = torch.get_num_threads()
    return found | current_switches()


def git_state(root: Path = ROOT) -> dict[str, Any]:
    """``commit``, ``dirty`` (tracked files differ from it) and ``diff`` (sha256 of that difference, null when clean).

    All null if git gives no answer, or if the package is installed, perhaps inside another project.
    """
    if root == ROOT != PROJECT:
        return dict.fromkeys(("commit", "dirty", "diff"))
    git = ("git", "-c", f"safe.directory={root}", *_PLAIN_DIFF, "-C", str(root))
    commit = ask(*git, "rev-parse", "HEAD")
    changes = ask(*git, *_DIFF) if commit else None
    digest = hashlib.sha256(changes.encode(errors="surrogateescape")).hexdigest() if changes else None
    dirty = None if changes is None else bool(changes)
    return {"commit": commit.strip() if commit else None, "dirty": dirty, "diff": digest}


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Clock:
    """Start, end, duration and CPU time of a computation."""

    def __init__(self) -> None:
        self.start, self._monotonic = now(), time.monotonic()

    def read(self) -> dict[str, Any]:
        """``start`` and ``end`` in UTC, ``seconds`` of wall time, ``cpu_seconds`` with children, and ``peak_bytes``.

        The last is the peak resident memory of this process or of one of its children so far.
        """
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "start": self.start,
            "end": now(),
            "seconds": round(time.monotonic() - self._monotonic, 3),
            "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usage), 3),
            "peak_bytes": max(one.ru_maxrss for one in usage) * 1024,
        }
