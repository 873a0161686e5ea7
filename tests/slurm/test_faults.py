"""What goes wrong on clusters, each on the live one: the same command, or the repair, ends with the same artifacts."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.forkserver.environment import ForkServers
from tests.slurm.cluster import STUDY, Clone, asked_for, end_processes_of, jobs, shell, stop_node, until, up

RUN = "results/tiny/pretrain/simclr-revised-crop-resnet_small-s0"
LONG = """
runs:
  - {method: simclr, pairs: revised, augmentation: crop, seeds: [0]}
pretraining: {steps: 120, checkpoint_every: 5, log_every: 60, probe: {every: 120, images: 64, neighbours: 5}}
"""


def running(rule: str) -> str:
    """Number of a job that runs, as soon as there is one."""
    return str(until(lambda: jobs(rule, "RUNNING"))[0])


def train_long(clone: Clone) -> subprocess.Popen[bytes]:
    """Start one training run that lasts a while, as a SLURM job."""
    clone.forget_runs()
    return clone.start(clone.write("long.yaml", LONG), *clone.only("pretrain"), f"{RUN}.manifest.json")


def starts(clone: Clone) -> list[int]:
    """Steps at which the training run was started and resumed."""
    record = json.loads((clone.folder / f"{RUN}.run.json").read_bytes())
    # A job that SLURM starts once more after it is done finds its artifact in the cache.
    return list(record.get("original", record)["facts"]["starts"])


def trained(clone: Clone) -> dict[str, str]:
    """Hashes of the training run's files."""
    return {name: value for name, value in clone.hashes().items() if name.startswith(RUN)}


@pytest.fixture(scope="module")
def undisturbed(local: Clone, place: Path, servers: ForkServers) -> dict[str, str]:
    """Hashes of the long training run, made without SLURM."""
    clone = local.copy_to(place / "undisturbed")
    clone.forget_runs()
    overlays = (*STUDY[2:], clone.write("long.yaml", LONG))
    words = ("--rerun-triggers", "mtime", "--allowed-rules", "pretrain", "--", f"{RUN}.manifest.json")
    clone.ends_well(clone.call(*servers.snakemake, "--cores", "1", *overlays, *words))
    return trained(clone)


def requested_mb(job: str) -> int:
    """Memory that a job requested, in MB."""
    found = re.search(r"\bmem=(\d+)M", asked_for(job)["ReqTRES"])
    assert found
    return int(found[1])


def assert_log_is_named(printed: str, job: str) -> None:
    """The line about a failure names the log of the SLURM job."""
    assert re.search(rf"; log: [^;]*/{job}\.log", " ".join(printed.split())), printed[-3000:]


@pytest.mark.parametrize("rules", [("download", "recaption"), ("pretrain",)])
def test_cancelled_jobs_are_retried_with_the_same_results(copy: Clone, rules: tuple[str, ...]) -> None:
    before = copy.hashes()
    process = copy.start(*copy.again(*rules))
    cancelled = []
    for rule in rules:
        cancelled.append(running(rule))
        shell("scancel", cancelled[-1])
    printed = copy.ends_well(process)
    for job in cancelled:
        assert_log_is_named(printed, job)
    assert copy.hashes() == before


def test_job_that_dies_of_memory_gets_more(copy: Clone) -> None:
    """No cgroups here, so the job takes its own limit; it dies once, and the second has twice the memory."""
    before = copy.hashes()
    limit = "if [ ! -e died ]; then touch died; ulimit -v 60000; fi; "
    copy.edit("rules/common.smk", 'shell.prefix(f"', f'shell.prefix(f"{limit}')
    process = copy.start(*copy.again("data_card"))
    first = until(lambda: jobs("data_card"))[0]
    second = until(lambda: [job for job in jobs("data_card") if job != first])[0]
    assert requested_mb(second) == 2 * requested_mb(first) >= 8_000
    assert_log_is_named(copy.ends_well(process), first)
    assert (copy.folder / "died").exists()
    assert copy.hashes() == before


def test_a_node_daemon_outage_of_a_minute_costs_no_retry(copy: Clone, undisturbed: dict[str, str]) -> None:
    """What runs goes on; a job that was about to start its step would fail, and cost a retry."""
    process = train_long(copy)
    running("pretrain")
    until(copy.reached)
    copy.tell_stages(signal.SIGSTOP)  # a job that ends meanwhile would hold its node for long after
    stop_node()
    back = time.monotonic() + 60
    step = copy.reached()
    copy.tell_stages(signal.SIGCONT)
    until(lambda: copy.reached() > step)
    copy.tell_stages(signal.SIGSTOP)
    time.sleep(back - time.monotonic())
    up()
    copy.tell_stages(signal.SIGCONT)
    assert "Error in" not in copy.ends_well(process)
    assert starts(copy) == [0]
    assert trained(copy) == undisturbed


def test_a_single_command_repairs_a_killed_snakemake(copy: Clone) -> None:
    before = copy.hashes()
    words = copy.again("pretrain")
    process = copy.start(*words)
    job = running("pretrain")
    look = copy.call("python", "-m", "workflow_scripts.commands", "recover")
    assert look.wait(timeout=60) == 1
    assert copy.printed().startswith("error: Snakemake is running in ")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    look = copy.call("python", "-m", "workflow_scripts.commands", "recover")
    assert look.wait(timeout=60) == 1
    assert f"job {job} (pretrain" in copy.printed()
    repair = ("python", "-m", "workflow_scripts.commands", "recover", "--wait", "--", "snakemake", *STUDY, *words)
    assert "waiting for " in copy.ends_well(copy.call(*repair))
    assert asked_for(job)["JobState"] == "COMPLETED"
    assert copy.hashes() == before


def test_a_training_that_hit_the_time_limit_resumes(copy: Clone, undisturbed: dict[str, str]) -> None:
    """Without the signal before the limit, so that SLURM ends the job: that costs a retry, but no finished step."""
    copy.forget_runs()
    signal_off = ("--set-resources", "pretrain:slurm_extra='--open-mode=append'")
    overlay = copy.write("long.yaml", LONG)
    process = copy.start(overlay, *signal_off, *copy.only("pretrain"), f"{RUN}.manifest.json")
    job = running("pretrain")
    until(copy.reached)
    copy.tell_stages(signal.SIGSTOP)  # SLURM looks at times twice a minute, and wakes what it is going to end
    shell("scontrol", "update", f"JobId={job}", "EndTime=now+1")
    printed = copy.ends_well(process)
    assert asked_for(job)["JobState"] == "TIMEOUT"
    assert f"SLURM-job '{job}' failed, SLURM status is: 'TIMEOUT'" in " ".join(printed.split())
    assert_log_is_named(printed, job)
    first, second = starts(copy)
    assert (first, second > 0) == (0, True)
    assert trained(copy) == undisturbed


def test_the_signal_before_the_time_limit_costs_no_retry(copy: Clone, undisturbed: dict[str, str]) -> None:
    process = train_long(copy)
    job = running("pretrain")
    until(copy.reached)
    copy.tell_stages(signal.SIGSTOP)  # SLURM looks at times twice a minute, and wakes what it signals
    shell("scontrol", "update", f"JobId={job}", "TimeLimit=2")  # less than the five minutes before which it is told
    until(lambda: asked_for(job)["Restarts"] == "1")
    shell("scontrol", "update", f"JobId={job}", "TimeLimit=60")
    assert "Error in" not in copy.ends_well(process)
    assert starts(copy)[1] > 0
    assert trained(copy) == undisturbed


def test_five_preemptions_cost_no_retry(copy: Clone, undisturbed: dict[str, str]) -> None:
    process = train_long(copy)
    job = running("pretrain")
    for number in range(5):
        preempt(copy, job, number)
    printed = copy.ends_well(process)
    assert "Error in" not in printed
    assert printed.count(": submitted with SLURM jobid ") == 1
    steps = starts(copy)
    assert len(steps) == 6
    assert steps == sorted(steps)
    assert trained(copy) == undisturbed


def preempt(clone: Clone, job: str, times: int) -> None:
    """Once a job that was preempted so many times has got further, preempt it by a job that wants the whole node."""
    before = clone.reached()
    until(lambda: clone.reached() > before)
    clone.tell_stages(signal.SIGSTOP)  # SLURM looks every few seconds, and wakes what it preempts
    shell("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
    until(lambda: asked_for(job)["Restarts"] == str(times + 1))


def test_losing_a_node_during_recaptioning_costs_no_retry(copy: Clone, servers: ForkServers) -> None:
    """SLURM requeues the job, which does not count as a retry; finished batches of captions are reused."""
    overlay = copy.write("batches.yaml", "recaption: {batch_size: 1}\n")  # two batches could end between two looks
    words = copy.again("recaption")
    copy.ends_well(copy.call(*servers.snakemake, "--cores", "1", *STUDY[2:], overlay, *words))
    before = copy.hashes()
    process = copy.start(overlay, *copy.again("recaption"))
    job = running("recaption")
    until(lambda: any((copy.folder / "results/.work/recaption").glob("*/batch-*.parquet")))
    lose_node_of(copy, job)
    assert "Error in" not in copy.ends_well(process)
    assert copy.hashes() == before


def test_losing_a_node_while_images_are_copied_to_it_changes_no_result(
    copy: Clone, undisturbed: dict[str, str]
) -> None:
    """A half-copied file is never used."""
    disk = copy.folder / "disk of the node"
    staged = copy.write("staged.yaml", f"pretraining: {{stage_in: {{folder: '{disk}', max_gb: 1}}}}\n")
    copy.forget_runs()
    process = copy.start(copy.write("long.yaml", LONG), staged, *copy.only("pretrain"), f"{RUN}.manifest.json")
    job = running("pretrain")
    until(lambda: any(path.is_file() for path in disk.rglob("*")))
    lose_node_of(copy, job)
    assert "Error in" not in copy.ends_well(process)
    assert trained(copy) == undisturbed
    record = json.loads((copy.folder / f"{RUN}.run.json").read_bytes())
    facts = record.get("original", record)["facts"]["stage_in"]
    assert facts["files"] > 0 and facts["on_shared"] == {}


def lose_node_of(clone: Clone, job: str) -> None:
    """Lose the node in the middle of a job's work, with all its processes; it is back once the job is queued again."""
    clone.tell_stages(signal.SIGSTOP)
    stop_node()
    end_processes_of(job)
    shell("scontrol", "update", "NodeName=node1", "State=DOWN", "Reason=lost")
    until(lambda: asked_for(job)["Restarts"] == "1")
    up()
