"""Runs the studies of claims, one Snakemake after the other; what they have in common comes from the cache."""

import subprocess
import sys
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.claims.catalogue import ORDER, SCALES
from workflow_scripts.claims.findings import Found, read
from workflow_scripts.claims.photos import has_masks, overlay
from workflow_scripts.core.digest import PROJECT, ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import make_folders, write_atomic
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.names import BASE
from workflow_scripts.core.inputs import clear_inputs
from workflow_scripts.study.config.files import read_config

CONFIGS = Path("profiles/claims")
RESULTS = Path("results")
BELOW = {
    "demo": (Path("profiles/demo/study.yaml"), CONFIGS / "demo/base.yaml"),
    "photos": (CONFIGS / "photos/base.yaml",),
}
"""Config files of each scale that all of its studies begin with."""


class Planned(NamedTuple):
    """A study of a claim with its config files, overlays of config.yaml."""

    claim: str
    scale: str
    files: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """Where its results go."""
        return RESULTS / f"claims-{self.scale}-{self.files[-1].stem}"

    def found(self) -> Found | None:
        """What it found; None if it has not been run."""
        found = read(self.folder)
        if found is None:
            return None
        settings = read_config([ROOT / BASE, *(ROOT / file for file in self.files)]).data()
        return replace(found, smallest_effect=settings.get("smallest_effect"))


def planned(names: Iterable[str], scale: str, photos: Path | None = None) -> list[Planned]:
    """The studies of claims at a scale, cheapest first; all claims if none is named.

    Args:
        photos: the folder of photos; without masks in it, C6 is left out unless it is named.

    Raises:
        PipelineError: there is no such claim, it has no study at this scale, the folder lacks something, or this is not
            the project's folder.
    """
    if not Path.cwd().samefile(ROOT):
        advice = f"start this in {ROOT}" if PROJECT == ROOT else "start this in a clone of the project"
        raise PipelineError("another working folder", Path.cwd(), "it is not that of the project", advice)
    wanted = [name.upper() for name in names]
    unknown = [name for name in wanted if name not in ORDER]
    if unknown:
        raise PipelineError("no such claim", "CLAIM", ", ".join(unknown), f"there are {', '.join(sorted(ORDER))}")
    found: list[Planned] = []
    for claim in (name for name in ORDER if name in wanted or not wanted):
        files = sorted((ROOT / CONFIGS / scale).glob(f"{claim.lower()}*.yaml"), key=lambda file: file.stem)
        if not files and wanted:
            raise PipelineError("no study of this claim", claim, f"scale {scale}", "choose another scale")
        if photos is not None and claim == "C6" and not wanted and not has_masks(photos):
            continue
        for file in files:
            data = _data(photos, file.stem) if photos is not None else ()
            found.append(Planned(claim, scale, (*BELOW.get(scale, ()), *data, file.relative_to(ROOT))))
    return found


def _data(photos: Path, study: str) -> tuple[Path]:
    """A config file, beside the page, that names the photos."""
    path = RESULTS / "claims" / f"photos-{study}.yaml"
    make_folders(path.parent)
    write_atomic(path, pretty(overlay(photos, study)))
    return (path,)


def run(study: Planned, profile: str) -> bool:
    """Compute a study with Snakemake; whether it succeeded.

    After Ctrl-C, which Snakemake gets too, it has the time that it needs to end its jobs.
    """
    words = [sys.executable, "-m", "snakemake", "--profile", profile, "--configfile", *map(str, study.files)]
    process = subprocess.Popen(words)
    try:
        return process.wait() == 0
    except KeyboardInterrupt:
        process.wait()
        raise


def finished(without: Collection[Path] = ()) -> dict[tuple[str, str], list[Found]]:
    """All studies of all claims and scales that have been run, by claim and scale, but those in ``without``."""
    clear_inputs()  # Snakemake may have computed again what an earlier call has read
    found: dict[tuple[str, str], list[Found]] = {}
    for scale in SCALES:
        for study in planned((), scale):
            if study.folder not in without and (one := study.found()) is not None:
                found.setdefault((study.claim, scale), []).append(one)
    return found
