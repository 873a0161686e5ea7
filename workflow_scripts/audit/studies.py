"""Which studies a path refers to."""

from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.active_config import NOTES, noted_artifacts

HIGHEST = 6  # folders between a data file and the results folder


def studies_below(path: Path) -> list[Path]:
    """The studies that a path names: those of a results folder, or the one that it is or lies in.

    Raises:
        PipelineError: there is no artifact at, below or above it.
    """
    if path.exists() or path.is_symlink():
        for root in (path, *list(path.parents)[:HIGHEST]):
            if (root / NOTES).is_dir():
                return _studies_of(root) if root == path else [root / path.relative_to(root).parts[0]]
        for study in (path, *list(path.parents)[:4]):
            if next(study.glob(f"*/*{MANIFEST}"), None) is not None:
                return [study]
        found = sorted({manifest.parent.parent for manifest in path.glob(f"*/*/*{MANIFEST}")})
        if found:
            return found
    advice = "name a results folder, a study, or something in it"
    raise PipelineError("no artifacts", path, "nothing to audit" if path.exists() else "not there", advice)


def _studies_of(results: Path) -> list[Path]:
    """Studies with artifacts, or of which artifacts are noted."""
    noted = {results / note.stem for note in (results / NOTES).glob("[!.]*.json")}
    found = {one for one in noted if one.is_dir() or _was_finished(one)}
    return sorted(found | {manifest.parent.parent for manifest in results.glob(f"[!.]*/*/*{MANIFEST}")})


def _was_finished(study: Path) -> bool:
    try:
        return bool(noted_artifacts(study.parent, study.name))
    except PipelineError:
        return True
