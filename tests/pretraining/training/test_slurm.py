"""What SLURM gives and what a run asks for; SLURM's commands are small stand-ins here."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tests.pretraining.launched import Launched
from tests.pretraining.shapes import SMALL, plan
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.pretraining.training import slurm
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.launch import STARTS, launch
from workflow_scripts.pretraining.training.plan import OUTCOME, read_plan, write_plan

Command = Callable[[str, str], Path]
JOB = {"JobId": "7", "JobState": "RUNNING", "Requeue": "1", "BatchFlag": "1", "Comment": "rule_pretrain_wildcards_r"}
# Starts the command as often as --ntasks says, hands SIGUSR1 on and dies of SIGTERM, as srun does.
SRUN = f"""#!{sys.executable}
import os, signal, subprocess, sys
words = sys.argv[1:]
given = [word for word in words if word.startswith("--")]
tasks = int(next(word for word in given if word.startswith("--ntasks=")).split("=")[1])
assert not [name for name in os.environ if name.startswith("SLURM_STEP")], "the outer step shows"
command = words[len(given):]
made = [subprocess.Popen(command, env=os.environ | {{"SLURM_PROCID": str(i)}}) for i in range(tasks)]
signal.signal(signal.SIGUSR1, lambda *_: [one.send_signal(signal.SIGUSR1) for one in made])
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1, signal.SIGTERM])
print("srun", *given, file=sys.stderr, flush=True)
sys.exit(max(one.wait() for one in made))
"""


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trace of a job or of cards that the tests may run beside."""
    for name in list(os.environ):
        if name.startswith("SLURM_") or name in ("CUDA_VISIBLE_DEVICES", "WORLD_SIZE"):
            monkeypatch.delenv(name)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Puts a script into the search path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def add(name: str, text: str) -> Path:
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    return add


def scontrol(facts: dict[str, str], status: int = 0) -> str:
    """Tells ``facts`` of any job, writes requeues down, and ends those with ``status``."""
    words = " ".join(f"{name}={value}" for name, value in facts.items())
    return f'#!/bin/sh\ncase "$*" in requeue*) echo "$2" >>"$0.requeued"; exit {status};; esac\necho "{words}"\n'


def settings(**changed: object) -> Pretrain:
    return Pretrain.model_validate({**SMALL, **changed})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "started several times in pretrain: WORLD_SIZE is 2"),
        ({"SLURM_STEP_NUM_TASKS": "2"}, "started several times in pretrain: SLURM_STEP_NUM_TASKS is 2"),
        ({"SLURM_PROCID": "1"}, "SLURM_PROCID is 1; start the stage once"),
        (
            {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "2"},
            "wrong number of nodes in pretrain: SLURM allocated 2, but the",
        ),
    ],
)
def test_a_stage_started_otherwise_than_once_on_its_nodes_is_refused(
    environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PipelineError) as refused:
        launch(plan(tmp_path), Interrupt())
    assert message in str(refused.value)


def test_nodes_are_counted_by_the_job_not_by_the_step(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    two = settings(processes=2, nodes=2)
    with pytest.raises(PipelineError, match="SLURM allocated none, but the settings say 2"):
        slurm.check_start(two)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NNODES", "1")
    command("scontrol", scontrol({"JobId": "7", "NumNodes": "2"}))
    slurm.check_start(two)
    with pytest.raises(PipelineError, match="SLURM allocated 2, but the settings say 1"):
        slurm.check_start(settings())
    command("scontrol", "#!/bin/sh\nexit 1\n")
    slurm.check_start(settings())


@pytest.mark.parametrize(
    ("environment", "wanted", "message"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0"}, 2, "too few GPUs in pretrain: 1 for 2 processes"),
        ({"CUDA_VISIBLE_DEVICES": ""}, 1, "too few GPUs in pretrain: 0 for 1 processes"),
        ({"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "1"}, 8, "too few GPUs in pretrain: 1 for 8"),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"}, 1, "more GPUs than processes in pretrain: 2 for 1"),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1", "SLURM_GPUS_ON_NODE": "4"}, 2, None),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, 2, None),
    ],
)
def test_the_available_gpus_must_match_the_processes(
    environment: dict[str, str], wanted: int, message: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("torch.cuda.device_count", lambda: wanted)
    if message is None:
        slurm.check_gpus(wanted)
        # What the environment says is not enough: torch could quietly train on the CPU instead.
        monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
        message = f"too few GPUs in pretrain: 0 for {wanted}"
    with pytest.raises(PipelineError) as refused:
        slurm.check_gpus(wanted)
    assert message in str(refused.value)


def test_only_a_running_requeueable_training_job_is_requeued(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    slurm.back_to_queue()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(slurm, "SECONDS_TO_BE_KILLED", 0)
    for changed in ({"JobState": "CANCELLED"}, {"Requeue": "0"}, {"BatchFlag": "0"}, {"Comment": "rule_all"}):
        script = command("scontrol", scontrol(JOB | changed))
        slurm.back_to_queue()
        assert not Path(f"{script}.requeued").exists(), changed
    command("scontrol", scontrol(JOB))
    slurm.back_to_queue()
    assert Path(f"{script}.requeued").read_text() == "7\n"


@pytest.mark.parametrize(
    ("told", "mode", "ends", "asks"),
    [
        ("None", "REQUEUE", 1, True),
        ("2026-01-01T00:00:00", "CANCEL", 1, True),
        ("2026-01-01T00:00:00", "GANG,REQUEUE", 3, False),
        ("2026-01-01T00:00:00", "REQUEUE", 4, True),
    ],
)
def test_a_preempted_job_requeued_by_slurm_does_not_requeue_itself(
    told: str, mode: str, ends: int, asks: bool, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(slurm, "SECONDS_TO_BE_KILLED", 0)
    facts = {"PreemptTime": told, "Partition": "main", "PreemptMode": mode, "BatchFlag": str(ends)}
    script = command("scontrol", scontrol(JOB | facts))
    slurm.back_to_queue()
    assert Path(f"{script}.requeued").exists() == asks


def test_a_slurm_step_inherits_the_job_but_not_the_enclosing_step_or_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = ("SLURM_NTASKS", "SRUN_CPUS_PER_TASK", "SBATCH_GRES", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
    for name in ("SLURM_JOB_ID", "NCCL_SOCKET_IFNAME", *hidden):
        monkeypatch.setenv(name, "1")
    made = slurm.environment_for_step()
    assert {name for name in made if made[name] == "1"} >= {"SLURM_JOB_ID", "NCCL_SOCKET_IFNAME"}
    assert not made.keys() & set(hidden)


def test_training_on_two_nodes_matches_one_process_and_stops_on_request(tmp_path: Path, command: Command) -> None:
    command("srun", SRUN)
    script = command("scontrol", scontrol(JOB | {"NumNodes": "2"}, status=1))
    changed = {"processes": 2, "nodes": 2, "steps": 12, "log_every": 1, "lr": 1e-3, "checkpoint_every": 1}
    environment = {"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_NODES": "1"}
    run = Launched(tmp_path / "two", environment, **changed)
    run.wait_for(STARTS)  # the signal comes before the first step, so no machine is too quick for it
    run.send_signal(signal.SIGTERM)
    status, said = run.ended()
    assert status == 143, said
    assert "srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=1" in said
    assert Path(f"{script}.requeued").read_text() == "7\n"
    assert Launched(tmp_path / "two", environment, **changed).ended()[0] == 0
    launch(plan(tmp_path / "one", **{**changed, "processes": 1, "nodes": 1}), Interrupt())
    losses = [
        [row["loss"] for row in json.loads((tmp_path / name / "work" / OUTCOME).read_text())["curve"][1:]]
        for name in ("one", "two")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_an_error_on_another_node_comes_back(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    command("srun", SRUN)
    command("scontrol", scontrol(JOB | {"NumNodes": "2"}))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(PipelineError, match="too few images in settings of pretrain: batch_size is 8, but 4 images"):
        launch(plan(tmp_path, number=4, processes=2, nodes=2), Interrupt())


def test_processes_are_shared_evenly_by_nodes() -> None:
    with pytest.raises(ValidationError, match="processes 4 are not a multiple of nodes 3"):
        settings(processes=4, nodes=3)
    assert settings(processes=8, nodes=2).nodes == 2


@pytest.mark.parametrize("captions", [None, ["ä ", "b"] * 12])
def test_a_plan_survives_a_round_trip_through_its_file(captions: list[str] | None, tmp_path: Path) -> None:
    labels = None if captions else np.arange(24) % 5
    given = plan(tmp_path, captions=captions, labels=labels, probe={"every": 2, "images": 20} if captions else None)
    write_plan(given, tmp_path / "plan.npz")
    back = read_plan(tmp_path / "plan.npz")
    assert (back.settings, back.keep_decoded) == (given.settings, True)
    assert back.captions is None if captions is None else back.captions.tolist() == [1, 0] * 12
    assert (back.tokens is None) == (captions is None)
    if back.tokens is not None and given.tokens is not None:
        assert back.tokens.sizes == given.tokens.sizes
        assert back.tokens[np.array([1, 0])].tolist() == given.tokens[np.array([1, 0])].tolist()
    assert (back.work, back.device, back.threads, back.workers) == (given.work, "cpu", 1, 1)
    assert [back.images.bytes(row) for row in range(24)] == [given.images.bytes(row) for row in range(24)]
    assert back.pairing.targets.tolist() == list(range(24))
    assert back.labels is None if labels is None else back.labels.tolist() == labels.tolist()
    assert (back.probe is None) == (given.probe is None)
    if back.probe is not None and given.probe is not None:
        assert back.probe.bank.tolist() == given.probe.bank.tolist()
        assert back.probe.images.bytes(3) == given.images.bytes(3)
