"""Checks the resources that SLURM allocated to a run, and requeues its job."""

import logging
import os
import signal
import subprocess
import time

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.placement import ORDER, VISIBLE, offered
from workflow_scripts.pretraining.settings import Pretrain

log = logging.getLogger(__name__)
SECONDS_TO_BE_KILLED = 300
# How often a preempted job may end by itself. SLURM counts that in BatchFlag, and holds a job after max_batch_requeue,
# which is 5 unless a site says otherwise.
ENDS = 3
# How the executor plugin marks a job that was submitted for a single training run.
OWN_JOB = "rule_pretrain"
# All that a nested srun needs to find its job. Everything else describes the step that the stage itself may run in,
# and would be taken as requests for the new one.
KEPT = frozenset({"SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CLUSTER_NAME", "SLURM_CONF"})
# The last two name GPUs of this node, and would hide those of the others.
FOREIGN = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", VISIBLE, ORDER)


def job_id() -> str | None:
    """Number of the SLURM job that this process belongs to, or None."""
    return os.environ.get("SLURM_JOB_ID")


def job_facts() -> dict[str, str]:
    """What ``scontrol show job`` tells of this process's job (JobState, NumNodes, Requeue, ...); empty if nothing."""
    job = job_id()
    return {} if job is None else _show("job", job)


def _show(kind: str, name: str) -> dict[str, str]:
    said = _scontrol("--oneliner", "show", kind, name) or ""
    return dict(word.split("=", 1) for word in said.split() if "=" in word)


def _scontrol(*words: str) -> str | None:
    """The output of scontrol; None if it is missing or fails."""
    try:
        answer = subprocess.run(["scontrol", *words], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("scontrol: %s", error)
        return None
    if answer.returncode:
        log.warning("scontrol %s: %s", " ".join(words), answer.stderr.strip())
        return None
    return answer.stdout


def check_start(settings: Pretrain) -> None:
    """Refuse a stage that was started several times, or on another number of nodes than its settings say.

    Raises:
        PipelineError: a launcher or SLURM started several copies; nodes are missing or too many.
    """
    for name, once in (("WORLD_SIZE", 1), ("SLURM_STEP_NUM_TASKS", 1), ("SLURM_PROCID", 0)):
        if int(os.environ.get(name, once)) > once:
            advice = "start the stage once, as one task; it starts its processes itself"
            raise PipelineError("started several times", "pretrain", f"{name} is {os.environ[name]}", advice)
    given = os.environ.get("SLURM_JOB_NUM_NODES") or job_facts().get("NumNodes", "").split("-")[0]  # if SLURM says it
    if int(given or 1) != settings.nodes:
        value = f"SLURM allocated {given or 'none'}, but the settings say {settings.nodes}"
        advice = "request as many nodes as `nodes` says, with --profile profiles/slurm, or correct `nodes`"
        raise PipelineError("wrong number of nodes", "pretrain", value, advice)


def gpus_given() -> int | None:
    """GPUs of this node that this job may use, as far as the environment says."""
    if (before := offered()) is not None:
        return before
    visible, on_node = os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("SLURM_GPUS_ON_NODE")
    if visible is not None:
        return len([gpu for gpu in visible.split(",") if gpu.strip() not in ("", "-1")])
    return int(on_node) if on_node else None


def check_gpus(wanted: int) -> None:
    """Refuse a node that has other than ``wanted`` GPUs for this run, or whose GPUs torch can't use.

    Outside SLURM more are fine. Inside, more would lie idle on someone's account, so they are a mistake too.

    Raises:
        PipelineError: the number of GPUs is wrong.
    """
    import torch

    for given in (gpus_given(), torch.cuda.device_count()):
        if given is not None and given < wanted:
            value = f"{given} for {wanted} processes"
            raise PipelineError("too few GPUs", "pretrain", value, "lower `processes` or request more GPUs")
        if given is not None and given > wanted and job_id() is not None:
            advice = "raise `processes` or request fewer GPUs; inside an allocation hide some with CUDA_VISIBLE_DEVICES"
            raise PipelineError("more GPUs than processes", "pretrain", f"{given} for {wanted} processes", advice)


def environment_for_step() -> dict[str, str]:
    """This process's environment without SLURM's variables about the step that it runs in, and without its GPUs."""
    return {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(FOREIGN)}


def back_to_queue() -> None:
    """Requeue this process's SLURM job, if it is a training job that was not cancelled.

    Snakemake counts its retries, but not SLURM's requeues. A cancelled job is no longer RUNNING here, and stays so.
    Returns when there is nothing to requeue, when SLURM does it once this process has ended, or when SLURM has not
    taken the job down after a while.
    """
    facts = job_facts()
    own = facts.get("Comment", "").startswith(OWN_JOB) and facts.get("BatchFlag", "0") != "0"
    if not own or facts.get("JobState") != "RUNNING" or facts.get("Requeue") != "1":
        log.info("cannot requeue: %s", {name: facts.get(name) for name in ("JobState", "Requeue", "Comment")})
        return
    if _is_requeued_when_it_ends(facts):
        log.info("job %s will be requeued when it ends", facts["JobId"])
        return
    if _scontrol("requeue", facts["JobId"]) is None:
        return
    log.info("job %s was requeued", facts["JobId"])
    # An exit now could count as the job's failure, so SLURM must end this process: SIGTERM is no longer a request.
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(SECONDS_TO_BE_KILLED)
    signal.signal(signal.SIGTERM, before)


def _is_requeued_when_it_ends(facts: dict[str, str]) -> bool:
    """Whether the job has been told of its preemption, and SLURM puts it back into the queue when it ends.

    Asking for it as well would have SLURM (before 26.05) requeue the job once more after it is done, since only the
    end of the job takes back the mark that the preemption has set. That costs a short job, so it is requested where
    preempted jobs are cancelled, and where SLURM would soon hold the job for ending too often.
    """
    if facts.get("PreemptTime", "None") == "None" or int(facts["BatchFlag"]) > ENDS:
        return False
    return "REQUEUE" in _show("partition", facts.get("Partition", "")).get("PreemptMode", "")
