"""The audit of the studies that a path names."""

import os
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.audit.audit import Audit, Audited
from workflow_scripts.audit.notes import noted
from workflow_scripts.audit.shared import shared_findings
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.active_config import noted_artifacts, studies_at


def audit(paths: Sequence[Path], configfiles: Sequence[str], quick: bool, jobs: int) -> list[Audited]:
    """The outcome for every study that a path names, in order; after those of a results folder, for what they share.

    Raises:
        PipelineError: a path holds no artifacts, or a config file is faulty.
    """
    done: list[Audited] = []
    for path in paths:
        path = Path(os.path.abspath(path))
        studies = [study for study in studies_at(path) if study.is_dir() or _was_finished(study)]
        audits = (
            Audit(study, max(path, study, key=lambda one: len(one.parts)), noted(study, configfiles), quick, jobs)
            for study in studies
        )
        found = [one for one in (study.run() for study in audits) if one.artifacts or one.faults]
        if not found:
            raise PipelineError("no artifacts", path, "nothing to audit", "give a study or a path in it")
        done += found
        if path == studies[0].parent:
            compared = {entry for one in done for entry in one.compared}
            done.append(Audited(path, 0, 0, 0, None, shared_findings(path, compared, quick, jobs)))
    return done


def _was_finished(study: Path) -> bool:
    try:
        return bool(noted_artifacts(study.parent, study.name))
    except PipelineError:
        return True
