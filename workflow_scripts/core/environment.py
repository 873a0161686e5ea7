"""What of the machine can change bytes, and so belongs to an artifact's key."""

import os
import resource
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def limit_threads(threads: int) -> None:
    """Set the math libraries' thread count; takes effect only before they are imported."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: a study may have more shards than the usual 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def resolve_device(wanted: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` means cuda where a GPU is visible, judged without importing torch."""
    if wanted != "auto":
        return wanted
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    return "cuda" if visible not in ("", "-1") and Path("/dev/nvidiactl").exists() else "cpu"


def version(package: str) -> str | None:
    """Installed version of a PyPI package; ``faiss-cpu`` stands for ``faiss-gpu`` too; None when absent."""
    names = ("faiss-cpu", "faiss-gpu") if package == "faiss-cpu" else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def environment(device: str, threads: int, packages: Sequence[str]) -> dict[str, Any]:
    """Device type, math threads, and major.minor of the packages that a stage declares."""
    short = {name: ".".join((version(name) or "absent").split(".")[:2]) for name in sorted(packages)}
    return {"device": device, "threads": threads, "packages": short}
