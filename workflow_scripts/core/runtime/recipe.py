"""What a computation is recorded to be: the recipe that its key was computed from, and the code that computes it."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.cache import discard
from workflow_scripts.core.code_equivalence import accepted_part, counted_code
from workflow_scripts.core.digest import code_parts
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.durable import make_folders, write_atomic
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.plain import check_inside
from workflow_scripts.core.key import artifact_key
from workflow_scripts.core.runtime.attempts import WORK_LINE, keep_log, log_of_artifact
from workflow_scripts.core.runtime.environment import FAISS, check_device, check_faiss, environment
from workflow_scripts.core.runtime.machine import git_state
from workflow_scripts.core.runtime.process import check_assertions

if TYPE_CHECKING:
    from workflow_scripts.core.stage import Job

log = logging.getLogger(__name__)
RECIPE = ".recipe.json"  # in a work folder: what its key was computed from


def recipe_of(job: "Job[Any]") -> dict[str, Any]:
    """The key, and everything that it was computed from: the first part of the run record."""
    stage = job.stage
    code, inputs = counted_code(stage.name, job.results), job.source_hashes()
    settings = job.settings.model_dump(mode="json")
    in_key = stage.in_key(settings)
    where = environment(job.device, job.threads, stage.packages)
    if stage.identity is None:
        key = artifact_key(stage.name, stage.manifest_unit(job.unit), code, in_key, stage.in_key(inputs), where)
    else:
        key = artifact_key(stage.name, stage.identity(job), code, in_key, {}, {})
    files = {name: [str(one.manifest_path) for one in job.inputs(name)] for name in inputs}
    return {
        **{"artifact": f"{stage.name}/{job.staging.artifact.name}", "stage": stage.name, "unit": job.unit},
        **{"key": key, "code": code, **accepted_part(stage.name, job.results)},
        **{"settings": settings, "not_in_key": sorted(settings.keys() - in_key.keys())},
        **{"inputs": inputs, "input_files": files, "environment": where, "workers": job.workers},
    }


def start_computation(
    job: "Job[Any]", artifact: Path, entry: Path, recipe: dict[str, Any], alone: bool, extra: bool
) -> dict[str, Any]:
    """Prepare the folders of a computation; gives the code that will compute, for the run record.

    Raises:
        PipelineError: a link or the like is in the work folder, through which a stage would write elsewhere.
    """
    check_assertions()
    check_device(job.device)
    if FAISS in job.stage.packages:
        check_faiss()
    discard(entry)
    try:
        with suppress(FileNotFoundError):
            check_inside(job.work)
    except Unfit as error:
        advice = "remove it, or the folder, then run the same command again"
        raise PipelineError("unsafe work folder", job.work, error, advice) from None
    make_folders(job.work)
    write_atomic(job.work / RECIPE, pretty(recipe))
    if not extra:
        keep_log(log_of_artifact(artifact), job.work)
        log.info("%s%s", WORK_LINE, job.work)
    job.staging.open(job.results, job.stage.name, recipe["key"], alone)
    return {"closure": code_parts(job.stage.name), "git": git_state()}
