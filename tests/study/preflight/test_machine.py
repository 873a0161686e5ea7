"""GPUs, programs and packages that jobs need are missed before they start."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.study.preflight.jobs import Found, job
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime import environment
from workflow_scripts.core.runtime.gpu import Gpu


def test_missing_gpus_and_slurm_programs_are_reported(
    look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = {"compute": {"device": "cuda"}, "pretraining": {"processes": 4, "precision": "no", "batch_size": 512}}
    train = [
        job("pretrain", "simclr-revised-crop-resnet_small-s0", run="simclr-revised-crop-resnet_small-s0"),
        job("summary", "summary"),
    ]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (text,) = look(train, cuda)
    assert text.startswith(
        "no GPU in compute.device: cuda, but no GPU is visible (CUDA_VISIBLE_DEVICES is ''); 1 stages"
    )
    assert look(train, cuda, local=False).keys() == {
        f"missing program in PATH: {name}; start Snakemake on a machine with SLURM's commands"
        for name in ("sbatch", "squeue")
        if shutil.which(name) is None
    }
    assert look([job("summary", "summary")], cuda) == {}
    assert look(train, {"compute": {"device": "auto"}}) == {}
    monkeypatch.setattr("workflow_scripts.study.preflight.machine.gpus", lambda: 2)
    monkeypatch.setattr("workflow_scripts.study.preflight.machine.no_gpu", lambda: None)
    (text,) = look(train, cuda)
    assert text.startswith(
        "too few GPUs in settings of run simclr-revised-crop-resnet_small-s0: processes is 4, but this machine has 2"
    )
    two = {**cuda, "pretraining": {"processes": 4, "nodes": 2, "precision": "no", "batch_size": 512}}
    (text,) = look(train, two)
    assert text.startswith("several nodes without SLURM in settings of run simclr-revised")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_gpus_that_are_too_old_or_too_small_are_reported(
    device: str, look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = {"compute": {"device": device}}
    run = "simclr-revised-crop-resnet_small-s0"
    jobs = [job("pretrain", run, run=run), job("recaption", "00000", shard="00000"), job("summary", "summary")]
    monkeypatch.setattr("workflow_scripts.study.preflight.machine.no_gpu", lambda: None)
    monkeypatch.setattr("workflow_scripts.study.preflight.machine.gpus", lambda: 8)
    monkeypatch.setattr("workflow_scripts.study.preflight.machine.cuda_of_torch", lambda: 13)
    monkeypatch.setattr("workflow_scripts.study.preflight.machine.resolve_device", lambda device: "cuda")
    for gpu, problems in {
        Gpu("H100", "580.95.05", 85_520, 9.0): {},
        Gpu("Small", "580.95.05", 100, 9.0): {
            "GPU memory may not suffice in pretrain, Small": False,
            "GPU memory may not suffice in recaption, Small": False,
        },
        Gpu("Old", "580.95.05", 85_520, 7.0): {"GPU too old in Old": True},
    }.items():
        monkeypatch.setattr("workflow_scripts.study.preflight.machine.visible_gpus", lambda found=gpu: [found])
        assert {text.partition(":")[0]: certain for text, certain in look(jobs, cuda).items()} == problems


def test_gpus_are_counted_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert environment.gpus(tmp_path) == 0
    for name in ("nvidia0", "nvidia1", "nvidia10"):
        (tmp_path / name).touch()
    for visible, count in {None: 3, "0,1": 2, "MIG-a": 1, "": 0, "-1": 0}.items():
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert environment.gpus(tmp_path) == count
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    (tmp_path / "kfd").touch()
    assert environment.gpus(tmp_path) is None


def test_a_stage_refuses_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    environment.check_device("cpu")
    with pytest.raises(PipelineError, match=r"no GPU in compute\.device: cuda, but no GPU is visible"):
        environment.check_device("cuda")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(environment, "gpus", lambda: 1)
    monkeypatch.setattr(environment, "version", lambda package: "2.8.0+cpu")
    assert environment.no_gpu() == "the installed PyTorch is built for CPUs only"


def test_missing_python_packages_are_reported(look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "version", {"numpy": "2.0", "faiss-cpu": "1.15.1"}.get)
    (text,) = look([job("pair_table", "revised", pairs="revised")])
    assert text == "missing Python package in stage pair_table: pyarrow; install it: pip install faithful-pairs"


@pytest.mark.parametrize(
    ("builds", "message"),
    [([], "missing Python package in"), (["faiss-cpu", "faiss-gpu-cuvs"], "several builds of FAISS in")],
)
def test_a_missing_faiss_or_several_builds_are_reported(
    builds: list[str], message: str, look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "faiss_builds", lambda: builds)
    pairs = job("pair_table", "revised", pairs="revised")
    (text,) = look([pairs])
    assert text.startswith(message) and "pip install 'faithful-pairs[cpu]' (or [gpu])" in text
    assert look([pairs], own_python=False) == look([job("summary", "summary")]) == {}


def test_trackers_that_are_not_installed_are_reported(
    look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = [
        job("pretrain", "simclr-revised-crop-resnet_small-s0", run="simclr-revised-crop-resnet_small-s0"),
        job("summary", "summary"),
    ]
    followed = {"pretraining": {"tracker": "wandb"}}
    monkeypatch.setattr("workflow_scripts.pretraining.monitor.tracking.find_spec", lambda name: None)
    (text,) = look(train, followed)
    assert text.startswith(
        "tracker that is not installed in pretraining.tracker: no module wandb; install it with: pip"
    )
    assert look(train) == {}
    assert look(train[1:], followed) == {}
    assert look(train, followed, own_python=False) == {}
    monkeypatch.setattr("workflow_scripts.pretraining.monitor.tracking.find_spec", lambda name: object())
    assert look(train, followed) == {}
