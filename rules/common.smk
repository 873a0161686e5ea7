# Shared by all rules: the checked config, names of artifacts, and the parts that every rule has. Defines no rules.
import atexit
import os
import shlex
import signal
import sys
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.code_equivalence import accepted, counted_code
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.config.files import read_config
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.terminal.failures import last_lines
from workflow_scripts.study.freshness import Freshness
from workflow_scripts.core.files.names import CRATE as CRATE_FOLDER
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.core.files.sharing import share_with_group
from workflow_scripts.core.runtime.job_log import log_of_artifact
from workflow_scripts.provenance.crate.contents import METADATA
from workflow_scripts.study.snakemake.planning import Planning
from workflow_scripts.study.snakemake.startup import begin, check_folders, check_study, stop
from workflow_scripts.study.snakemake.arguments import Turns, input_words, other_arms
from workflow_scripts.study.active_config import base_files, remember
from workflow_scripts.study.estimates.requests import Requests
from workflow_scripts.study.config.stages import declaration, facts
from workflow_scripts.study.units import Units
from workflow_scripts.study.preflight.check import findings, tell
from workflow_scripts.study.preflight.findings import Start

RESULTS = "results"

share_with_group(Path(RESULTS))

# Near the time limit, SLURM sends SIGUSR1 to all processes of a job. It is meant for the stage, not for Snakemake.
if not workflow.is_main_process:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


# Snakemake has merged these files into `config`; they are read again because errors name the line of a key.
overlays = [str(path) for path in workflow.overwrite_configfiles]
base = [] if workflow.config_settings.replace_workflow_config else [str(path) for path in base_files()]
overrides = dict(workflow.config_settings.config)
try:
    if workflow.is_main_process:
        check_folders(Path(RESULTS))
    CONFIG = read_config([*base, *overlays], overrides)
    STUDY = load_study(CONFIG)
    UNITS = Units(STUDY, accepted(Path(RESULTS)))
except PipelineError as error:
    stop(error)

OUT = f"{RESULTS}/{STUDY.study}"
CRATE = f"{OUT}/{CRATE_FOLDER}/{METADATA}"
TURNS = Turns(workflow)
LATE = STUDY.chosen_by_judges()  # arms
GPUS = 0 if STUDY.compute.device == "cpu" else 1
REQUESTS = Requests(UNITS, Path(OUT))


def literal(text):
    """`text` in a shell command, where Snakemake would replace what is in braces."""
    return text.replace("{", "{{").replace("}", "}}")


# `python` is the one that runs Snakemake, unless conda environments provide another.
own_python = "" if workflow.deployment_settings.deployment_method else f"{Path(sys.executable).parent}:"
exports = f'PYTHONPATH={shlex.quote(str(ROOT))} PATH={shlex.quote(own_python)}"$PATH" PYTHONHASHSEED=0'
shell.prefix(f"export {literal(exports)}; ")


def manifest(label):
    """Path of the manifest of `<stage>/<name>`."""
    return f"{OUT}/{label}{MANIFEST}"


def inputs_of(stage):
    """Inputs of a rule by name, as the stage declares them (`FACTS.inputs` and `sources` of its file)."""

    def paths(name):
        declared = facts(stage).inputs.get(name)
        if isinstance(declared, str):  # Snakemake plans these faster than functions
            labels = UNITS.read(stage, name, {}) if declared.endswith("*") else [declared]
            return [manifest(label) for label in labels]
        return lambda wildcards: [manifest(label) for label in UNITS.read(stage, name, dict(wildcards))]

    return {name: paths(name) for name in facts(stage).input_names}


def artifact_path(stage):
    """`<stage>/<name>` of a stage's artifacts below the study's folder, with wildcards."""
    return f"{stage}/{declaration(stage).artifact}"


def made(stage):
    """Declared outputs of a rule: manifest and run record. The manifest names the data files."""
    path = f"{OUT}/{artifact_path(stage)}"
    return {"manifest": f"{path}{MANIFEST}", "run": f"{path}{RUN}"}


def log_of(stage):
    """Log file of a rule."""
    return str(log_of_artifact(Path(OUT, artifact_path(stage))))


def environment_of(stage):
    """File of the conda environment, relative to `rules/`."""
    return f"../envs/{facts(stage).environment}.yaml"


def cores(stage, processes=None):
    """Cores of a job; with `processes`, the number of processes on a node, cores of all of them together."""
    one = facts(stage).resources.cores(STUDY.compute.workers, STUDY.compute.math_threads)
    return one if processes is None else lambda wildcards: one * processes(wildcards)


def resources_of(stage, processes=lambda wildcards: 1):
    """Resources of a rule; memory, and time unless the stage resumes, grow per attempt."""
    wanted = facts(stage).resources
    found = {
        "mem_mb": lambda wildcards, attempt: REQUESTS.memory_mb(stage, dict(wildcards), processes(wildcards), attempt),
        "runtime": lambda wildcards, attempt: REQUESTS.minutes(stage, dict(wildcards), attempt),
    }
    return found | ({"gpu": GPUS} if wanted.gpu else {}) | ({wanted.slot: 1} if wanted.slot else {})


def run_local(wildcards):
    """Processes of a run on each of its nodes."""
    settings = UNITS.trainings[wildcards.run].settings
    return settings.processes // settings.nodes


def across_nodes(value):
    """A resource that only runs on several nodes request."""

    def of(wildcards):
        nodes = UNITS.trainings[wildcards.run].settings.nodes
        return value(nodes) if nodes > 1 else None

    return of


def recipe(stage):
    """Settings of a job (JSON), its inputs, and the locations of the external inputs that it reads, as arguments."""
    return {
        "settings": lambda wildcards: canonical(UNITS.settings(stage, dict(wildcards))),
        "inputs": lambda wildcards, input: input_words(dict(input.items())),
        "sources": lambda wildcards: [f"{k}={v}" for k, v in UNITS.sources(stage, dict(wildcards)).items()],
        **({"gpu_mb": lambda wildcards: REQUESTS.gpu_mb(stage, dict(wildcards))} if on_gpu(stage) else {}),
    }


def on_gpu(stage):
    """Whether the jobs of a stage take GPUs in this study."""
    return bool(GPUS and facts(stage).resources.gpu)


def command(stage, more=""):
    """The shell command of a rule: one stage, its unit, its inputs by name, its settings, and `more`.

    The stage replaces the shell (``exec``), so that signals that end the job reach it directly.
    A stage that doesn't use a GPU is told to use the CPU, since the GPUs of a node may belong to other jobs.
    """
    declared = declaration(stage)
    parts = [f"exec python -m workflow_scripts.stages.{stage} --artifact {{output.manifest:q}}"]
    parts += ["--unit " + " ".join(f"{name}={{wildcards.{name}}}" for name in declared.unit)] if declared.unit else []
    parts += [f"{{params.inputs:q}} --device {declared.device(STUDY.compute.device)}"]
    parts += ["--gpu-mb {params.gpu_mb}"] if on_gpu(stage) else []
    parts += [f"--threads {STUDY.compute.math_threads} --workers {{threads}}"]
    parts += ["--settings {params.settings:q} --source {params.sources:q}", more, "> {log:q} 2>&1"]
    return " ".join(parts)


def note_state():
    """Note the study's config and its finished artifacts, for commands that see only the results."""
    if workflow.is_main_process:
        remember(Path(RESULTS), STUDY.study, [*base, *overlays], overrides, UNITS.holds)


def check_before_start(jobs, dry_run):
    """Report everything that the jobs lack before the first of them starts."""
    # A dry run always counts as local in Snakemake; a cluster is recognised by a limit of jobs instead of cores.
    local = workflow.local_exec and not (workflow.dryrun and workflow.resource_settings.nodes)
    own_python = not workflow.deployment_settings.deployment_method
    start = Start(UNITS, Path(RESULTS), jobs, local=local, own_python=own_python, lock_file=CONFIG.lock_file)
    tell(findings(start), dry_run or workflow.touch)
    if workflow.dag_settings.forcetargets or workflow.dag_settings.forceall or workflow.dag_settings.forcerun:
        again = "forced jobs take what the cache has; to recompute and compare: faithful-pairs verify"
        sys.stderr.write(f"note: {again} {OUT}\n")


if not workflow.is_main_process:
    check_study(Path(RESULTS), STUDY.study)

# The main process decides from run records what is stale; the jobs that it starts only follow.
if workflow.is_main_process:
    freshness = Freshness(Path(RESULTS), UNITS)
    Planning(
        workflow,
        targets=lambda targets: begin(workflow, targets, Path(RESULTS), UNITS, note_state),
        decide=freshness.decide,
        # Their captions are made after scores of the other arms, and those scores are in the group.
        apart=lambda job: job.stage == "score_captions" and job.unit["arm"] in LATE,
        checks=[freshness.tell, TURNS.plan, check_before_start],
        affected=["recaption"],
    )


onerror:
    note_state()
    # Snakemake still prints lines of its own after this; print the useful ones last.
    lines = last_lines(Path(log[0]).read_text(errors="replace"), Path(log[0])) if log else []
    atexit.register(sys.stderr.write, "".join(f"{line}\n" for line in lines))


onsuccess:
    note_state()
    # The study no longer has the rows on the removal list; also remove what was made from them before.
    if STUDY.annotations.exclude or STUDY.annotations.exclude_from:
        # Status 2: another study still has them, which is not a failure of this one.
        shell("{sys.executable:q} -m workflow_scripts.commands remove {OUT:q} >&2 || [ $? -eq 2 ]")
