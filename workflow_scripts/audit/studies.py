"""Which studies a path refers to, and the audit of each."""

import os
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.audit.audit import Audit, Audited
from workflow_scripts.audit.notes import noted
from workflow_scripts.audit.shared import shared_findings
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.active_config import NOTES, noted_artifacts

HIGHEST = 6  # folders between a data file and the results folder


def audit(paths: Sequence[Path], configfiles: Sequence[str], quick: bool, jobs: int) -> list[Audited]:
    """The outcome for every study that a path names, in order; after those of a results folder, for what they share.

    Raises:
        PipelineError: a path holds no artifacts, or a config file is faulty.
    """
    done = []
    for path in paths:
        path = Path(os.path.abspath(path))
        studies = studies_below(path)
        for study in studies:
            scope = max(path, study, key=lambda one: len(one.parts))
            one = Audit(study, scope, noted(study, configfiles), quick, jobs).run()
            if not one.artifacts and not one.faults:
                raise PipelineError("no artifacts", path, "nothing to audit", "give a study or a path in it")
            done.append(one)
        if path == studies[0].parent:
            compared = {entry for one in done for entry in one.compared}
            done.append(Audited(path, 0, 0, 0, None, shared_findings(path, compared, quick, jobs)))
    return done


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
    advice = "give a results folder, a study, or a path in it"
    raise PipelineError("no artifacts", path, "nothing to audit" if path.exists() else "no such file or folder", advice)


def _studies_of(results: Path) -> list[Path]:
    """Studies that have artifacts, or whose artifacts are noted."""
    noted = {results / note.stem for note in (results / NOTES).glob("[!.]*.json")}
    found = {one for one in noted if one.is_dir() or _was_finished(one)}
    return sorted(found | {manifest.parent.parent for manifest in results.glob(f"[!.]*/*/*{MANIFEST}")})


def _was_finished(study: Path) -> bool:
    try:
        return bool(noted_artifacts(study.parent, study.name))
    except PipelineError:
        return True
