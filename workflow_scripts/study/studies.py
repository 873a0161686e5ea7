"""Which studies a path names."""

import os
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import LOGS
from workflow_scripts.study.active_config import NOTES, note_of

HIGHEST = 6  # folders between a data file and the results folder


def studies_at(path: Path) -> list[Path]:
    """The studies that a path names, absolute and sorted: those of a results folder, or the one that it is or lies in.

    A study has artifacts, logs or a note of its config.

    Raises:
        PipelineError: there is none.
    """
    path = Path(os.path.abspath(path))
    exists = path.exists() or path.is_symlink()
    found = _found(path) if exists else [path] if note_of(path.parent, path.name).is_file() else []
    if not found:
        value = "no artifacts, logs or note of a config" if exists else "no such file or folder"
        raise PipelineError(
            "no study", path, value, "give a results folder, a study such as results/demo, or a path in it"
        )
    return found


def _found(path: Path) -> list[Path]:
    above = [path, *path.parents]
    root = next((one for one in above[: HIGHEST + 1] if (one / NOTES).is_dir()), None)
    if root is not None and root != path:
        study = root / path.relative_to(root).parts[0]
        return [study] if _is_study(study) else []
    if root is None:  # copied without the notes
        study = next((one for one in above[: HIGHEST - 1] if _has_artifacts(one)), path)
        if _is_study(study):
            return [study]
    return _studies_of(path)


def _studies_of(results: Path) -> list[Path]:
    noted = {results / note.stem for note in (results / NOTES).glob("[!.]*.json")}
    return sorted(noted | {study for study in results.glob("[!.]*") if _is_study(study)})


def _is_study(path: Path) -> bool:
    return note_of(path.parent, path.name).is_file() or _has_artifacts(path) or any(path.glob(f"{LOGS}/*/*.log"))


def _has_artifacts(study: Path) -> bool:
    return any(study.glob(f"*/*{MANIFEST}"))
