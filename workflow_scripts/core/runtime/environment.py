"""Properties of the machine that can change bytes and so belong to an artifact's key."""

import os
import resource
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError

FAISS = "faiss"
"""The package of which a stage declares that any build will do."""
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)


def limit_threads(threads: int) -> None:
    """Set the math libraries' thread count; takes effect only before they are imported."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: a study may have more shards than the usual 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def resolve_device(wanted: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` means cuda if a GPU is visible, determined without importing torch."""
    if wanted != "auto":
        return wanted
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    return "cuda" if visible not in ("", "-1") and Path("/dev/nvidiactl").exists() else "cpu"


def gpus(devices: Path = Path("/dev")) -> int | None:
    """Number of GPUs that this process may use, determined without importing torch; None if it is unknown."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return 0
    # AMD GPUs, WSL and Jetson boards have other device files.
    if any((devices / name).exists() for name in ("kfd", "dxg", "nvmap")):
        return None
    cards = len([path for path in devices.glob("nvidia*") if path.name.removeprefix("nvidia").isdigit()])
    return cards if visible is None or not cards else len(visible.split(","))


def no_gpu() -> str | None:
    """Why this process can't use a GPU; None if it can, as far as can be determined without importing torch."""
    if gpus() == 0:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        return "no GPU is visible" + ("" if hidden is None else f" (CUDA_VISIBLE_DEVICES is {hidden!r})")
    if (version("torch") or "").endswith("+cpu"):
        return "the installed PyTorch is built for CPUs only"
    return None


def check_device(device: str) -> None:
    """Check that a GPU is available if ``device`` requires one.

    Raises:
        PipelineError: ``device`` is ``cuda``, and :func:`no_gpu` has a reason.
    """
    reason = no_gpu() if device == "cuda" else None
    if reason is not None:
        advice = "set it to auto or cpu, or run on a machine with a GPU"
        raise PipelineError("no GPU", "compute.device", f"cuda, but {reason}", advice)


def version(package: str) -> str | None:
    """Installed version of a PyPI package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Installed versions of packages; FAISS by the names of its builds, such as ``faiss-cpu``."""
    builds = faiss_builds() if FAISS in packages else []
    names = sorted({*packages, *builds} - ({FAISS} if builds else set()))
    return {name: version(name) for name in names}


def faiss_builds() -> list[str]:
    """Names of the installed distributions of FAISS, determined without importing it."""
    found = (path for folder in sys.path for path in Path(folder).glob(f"{FAISS}*.dist-info"))
    return sorted({path.name.partition("-")[0].lower().replace("_", "-") for path in found})


def faiss_on_gpu() -> bool:
    """Whether the installed FAISS can use GPUs."""
    return any("gpu" in name for name in faiss_builds())


def check_faiss() -> None:
    """Check that exactly one build of FAISS is installed.

    Raises:
        PipelineError: there is none, or several.
    """
    builds, install = faiss_builds(), "pip install -c constraints.txt -e '.[cpu]' (or '.[gpu]')"
    if not builds:
        raise PipelineError("missing Python package", sys.prefix, FAISS, install)
    if len(builds) > 1:
        advice = f"they overwrite each other's files: pip uninstall {' '.join(builds)}, then {install}"
        raise PipelineError("several builds of FAISS", sys.prefix, ", ".join(builds), advice)


def environment(device: str, threads: int, packages: Sequence[str]) -> dict[str, Any]:
    """Device type, math threads, and major.minor of the packages that a stage declares."""
    short = {name: ".".join((there or "absent").split(".")[:2]) for name, there in versions(packages).items()}
    return {"device": device, "threads": threads, "packages": short}
