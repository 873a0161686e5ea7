"""Properties of the machine that can change bytes and so belong to an artifact's key."""

import hashlib
import os
import resource
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError

FAISS = "faiss"
"""The package of which a stage declares that any build will do."""
# In the folder of a package's metadata: written when it is installed.
_NOTES = tuple(f".dist-info/{name}" for name in ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"))


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: a study may have more shards than the usual 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def resolve_device(wanted: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` means cuda if a GPU is visible, determined without importing torch."""
    if wanted != "auto":
        return wanted
    return "cuda" if not hidden_gpus() and Path("/dev/nvidiactl").exists() else "cpu"


def hidden_gpus() -> bool:
    """Whether ``CUDA_VISIBLE_DEVICES`` hides all GPUs; SLURM writes ``NoDevFiles`` for a job that requested none."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1", "NoDevFiles")


def gpus(devices: Path = Path("/dev")) -> int | None:
    """Number of GPUs that this process may use, determined without importing torch; None if it is unknown."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden_gpus():
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
    with suppress(metadata.PackageNotFoundError):
        return package_field(package, "Version")
    return None


def package_field(package: str, key: str) -> str | None:
    """A field of an installed package's metadata, such as ``Name``. importlib would parse all of it, README included.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    distribution = metadata.distribution(package)
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    fields = dict(line.split(": ", 1) for line in text.partition("\n\n")[0].splitlines() if ": " in line)
    if key in fields or key not in distribution.metadata:
        return fields.get(key)
    return distribution.metadata[key]


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Installed versions of packages; FAISS by the names of its builds, such as ``faiss-cpu``."""
    builds = faiss_builds() if FAISS in packages else []
    names = sorted({*packages, *builds} - ({FAISS} if builds else set()))
    return {name: version(name) for name in names}


def package_records(packages: Iterable[str]) -> dict[str, str]:
    """Package -> hash of what its wheel holds, the first 16 hex digits of a sha256; those without a list are left out.

    The list is the ``RECORD`` of the installed package, which has the hash of each file, without what the installer
    wrote: notes of its own, scripts with the path of the environment, and compiled modules, which have no hash.
    """
    found = {}
    for name in packages:
        try:
            text = metadata.distribution(name).read_text("RECORD")
        except metadata.PackageNotFoundError:
            continue
        lines = (line.rsplit(",", 2) for line in (text or "").splitlines())
        files = sorted(f"{one[0]},{one[1]}" for one in lines if len(one) == 3 and one[1] and not _of_installer(one[0]))
        if files:
            found[name] = hashlib.sha256("\n".join(files).encode()).hexdigest()[:16]
    return found


def _of_installer(path: str) -> bool:
    return path.startswith(("../", "/")) or path.endswith(_NOTES)


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
    builds, install = faiss_builds(), "pip install 'faithful-pairs[cpu]' (or [gpu])"
    if not builds:
        raise PipelineError("missing Python package", sys.prefix, FAISS, install)
    if len(builds) > 1:
        advice = f"they overwrite each other's files: pip uninstall {' '.join(builds)}, then {install}"
        raise PipelineError("several builds of FAISS", sys.prefix, ", ".join(builds), advice)


def environment(device: str, threads: int, packages: Sequence[str]) -> dict[str, Any]:
    """Device type, math threads, and major.minor of the packages that a stage declares."""
    short = {name: ".".join((there or "absent").split(".")[:2]) for name, there in versions(packages).items()}
    return {"device": device, "threads": threads, "packages": short}
