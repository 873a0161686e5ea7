import hashlib
import json
import os
import signal
from itertools import combinations
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from accelerate.state import AcceleratorState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from accelerate.utils import LoggerType
from safetensors.torch import load_file

from tests.pretraining.shapes import HEADS, of_method, plan
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining import network
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES
from workflow_scripts.pretraining.network import seeded_backbone
from workflow_scripts.pretraining.training import checkpoint, trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.plan import OUTCOME, Plan

PROBED = {"every": 2, "images": 20, "neighbours": 3}
TEN = {"steps": 10, "checkpoints": [4, 7], "probe": PROBED, "log_every": 3}


def train(run: Plan) -> None:
    """A run that nobody interrupts."""
    trainer.train(run, Interrupt())


def made(folder: Path) -> dict[str, str]:
    """sha256 of everything that a run leaves to be published."""
    work = folder / "work"
    names = [path.name for path in work.iterdir() if path.name not in (checkpoint.NAME, CURVE_LINES, "order.txt")]
    return {name: hashlib.sha256((work / name).read_bytes()).hexdigest() for name in sorted(names)}


def outcome_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "work" / OUTCOME).read_text()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    train(plan(folder, **TEN))
    return made(folder)


class Killed(Exception):
    pass


def kill_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = trainer.Trainer._after_step

    def after(self: trainer.Trainer) -> None:
        real(self)
        if self.state.step == step:
            raise Killed

    monkeypatch.setattr(trainer.Trainer, "_after_step", after)


def test_ten_steps_write_the_requested_checkpoints_and_curve(undisturbed: dict[str, str], tmp_path: Path) -> None:
    steps = ("best", "last", "step-000004", "step-000007")
    assert set(undisturbed) == {OUTCOME, *(f"{step}.safetensors" for step in steps)}
    train(plan(tmp_path, **TEN))
    outcome = outcome_of(tmp_path)
    assert [row["step"] for row in outcome["curve"]] == [0, 2, 3, 4, 6, 8, 9, 10]
    assert [row["step"] for row in outcome["curve"] if row["knn_accuracy"] is not None] == [0, 2, 4, 6, 8, 10]
    assert outcome["curve"][0]["loss"] is None
    assert {row["step"]: row["knn_accuracy"] for row in outcome["curve"]}[outcome["best_step"]] == outcome["best"]
    assert made(tmp_path) == undisturbed


@pytest.mark.parametrize(("step", "every"), [(5, 5), (7, 2), (3, 100), (10, 3)])
def test_a_killed_and_resumed_training_gives_the_same_bytes(
    step: int, every: int, undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan(tmp_path, checkpoint_every=every, **TEN)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_after(step, patched)
        train(run)
    train(run)
    assert made(tmp_path) == undisturbed


def test_workers_and_memory_change_no_byte(undisturbed: dict[str, str], tmp_path: Path) -> None:
    train(plan(tmp_path, workers=4, keep=False, **TEN))
    assert made(tmp_path) == undisturbed


def test_a_kill_while_writing_a_checkpoint_changes_no_result(
    undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan(tmp_path, checkpoint_every=2, **TEN)
    real, calls = checkpoint.save_file, []

    def half(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None) -> None:
        real(tensors, path, metadata)
        calls.append(path)
        if "checkpoint" in path.name and len(calls) > 3:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(checkpoint, "save_file", half)
        train(run)
    train(run)
    assert made(tmp_path) == undisturbed | {name: value for name, value in made(tmp_path).items() if name[0] == "."}


@pytest.mark.parametrize(
    ("method", "parts"), [*((name, 1) for name in HEADS if name != "simclr"), ("simclr", 2), ("nnclr", 4)]
)
def test_a_run_killed_after_every_step_gives_the_same_bytes(
    method: str, parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heads' queues, too; at once or in micro-batches."""
    micro = None if parts == 1 else 8 // parts
    changed = {**of_method(method), "steps": 6, "checkpoint_every": 1, "log_every": 1, "micro_batch_size": micro}
    train(plan(tmp_path / "once", **changed))
    run = plan(tmp_path / "often", **changed)
    for step in range(1, 6):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill_after(step, patched)
            train(run)
    train(run)
    assert made(tmp_path / "often") == made(tmp_path / "once")
    once, often = (load_file(tmp_path / name / "work" / checkpoint.NAME) for name in ("once", "often"))
    assert once.keys() == often.keys()
    assert all(torch.equal(tensor, often[name]) for name, tensor in once.items())
    assert any("queue" in name for name in once) == ("queue" in HEADS[method])


def test_a_resumed_run_continues_with_the_dropout_of_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[torch.Tensor] = []

    def drop(module: torch.nn.Module, _: Any, features: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return features
        kept = torch.nn.functional.dropout(torch.ones_like(features))
        dropped.append(kept)
        return features * kept

    def built(name: str, image_size: int) -> tuple[torch.nn.Module, int]:
        backbone, width = build_backbone(name, image_size)
        backbone.register_forward_hook(drop)
        return backbone, width

    monkeypatch.setattr(network, "build_backbone", built)
    changed = {"steps": 4, "checkpoint_every": 1}
    train(plan(tmp_path / "once", **changed))
    assert not any(torch.equal(one, other) for one, other in combinations(dropped, 2))
    run = plan(tmp_path / "twice", **changed)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_after(2, patched)
        train(run)
    torch.rand(1)  # whatever the next process has drawn
    train(run)
    assert made(tmp_path / "twice") == made(tmp_path / "once")


def test_runs_with_the_same_seed_start_from_the_same_backbone(tmp_path: Path) -> None:
    train(plan(tmp_path, steps=2, warmup_steps=1, lr=1e-12, final_lr=0, weight_decay=0))
    start = seeded_backbone("resnet_small", 0, 32)[0].state_dict()
    end = load_file(tmp_path / "work" / "last.safetensors")
    assert end.keys() == start.keys()
    torch.testing.assert_close(end["layer4.0.conv1.weight"], start["layer4.0.conv1.weight"], rtol=0, atol=1e-6)
    other = seeded_backbone("resnet_small", 1, 32)[0].state_dict()
    assert not torch.equal(other["conv1.weight"], start["conv1.weight"])


def test_training_reduces_the_loss(tmp_path: Path) -> None:
    train(plan(tmp_path, steps=60, log_every=20, lr=0.2, augmentation="crop", probe={"every": 60, "neighbours": 3}))
    curve = outcome_of(tmp_path)["curve"]
    assert curve[-1]["loss"] < 0.7 * curve[1]["loss"]


@pytest.mark.parametrize("probe", [None, PROBED])
def test_the_curve_has_feature_statistics_and_a_collapse_is_reported(
    probe: dict[str, int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = trainer.Trainer._step

    def after(self: trainer.Trainer, batch: object) -> None:
        real(self, batch)
        if self.state.step == 3:  # all images get the same features
            last = [module for module in self.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
            for module in last:
                module.weight.data.zero_()
                module.bias.data.fill_(1)

    monkeypatch.setattr(trainer.Trainer, "_step", after)
    with caplog.at_level("WARNING"):
        train(plan(tmp_path, steps=4, log_every=2, probe=probe))
    rows = {row["step"]: row for row in outcome_of(tmp_path)["curve"]}
    assert rows[0]["loss"] is None and rows[0]["rankme"] > 2 and rows[2]["spread"] > 0.01
    assert rows[4]["rankme"] < 1.01 and rows[4]["spread"] < 1e-6
    first = 4 if probe else 3
    assert [r.getMessage().partition(":")[0] for r in caplog.records if "collapsed" in r.message] == [f"step {first}"]


def test_a_tracker_changes_no_byte_and_gets_the_rows_since_the_checkpoint_again(
    undisturbed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[int] = []
    steps: list[int] = []

    class Notebook(GeneralTracker):
        name, requires_logging_directory, tracker = "tensorboard", True, None

        def __init__(self, project: str, folder: Path, purge_step: int) -> None:
            super().__init__()
            starts.append(purge_step)

        def log(self, values: dict[str, float], step: int | None = None, **kwargs: Any) -> None:
            torch.rand(3)  # draws from the global generator, which training must not depend on
            assert {"loss", "lr", "images_per_s"} <= values.keys() or step == 0
            steps.append(step or 0)

    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "tensorboard", Notebook)
    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [LoggerType.TENSORBOARD])
    folder = tmp_path / "results/pretrain"
    run = plan(folder, checkpoint_every=5, tracker="tensorboard", **TEN)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_after(8, patched)
        train(run)
    train(run)
    assert starts == [0, 6]
    assert steps == [0, 2, 3, 4, 6, 8, 6, 8, 9, 10]
    assert made(folder) == undisturbed


def probed(monkeypatch: pytest.MonkeyPatch, *right: int) -> None:
    """Let the probes, of 100 images each, be right for the first so many."""
    numbers = iter(right)
    monkeypatch.setattr(trainer.OnlineProbe, "__call__", lambda *_: torch.arange(100) < next(numbers))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "out of GPU memory in pretrain: 8 pairs at a time; set micro_batch"),
        ("shapes cannot be multiplied", "^shapes cannot be multiplied$"),
    ],
)
def test_a_full_gpu_ends_a_run_with_advice(
    said: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(trainer, "backward", fail)
    with pytest.raises((PipelineError, RuntimeError), match=expected):
        train(plan(tmp_path))


def test_patience_ends_a_run_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probed(monkeypatch, 10, 50, 40, 53, 90)
    run = plan(tmp_path, **TEN, patience=2)
    for _ in range(2):
        train(run)
        outcome = outcome_of(tmp_path)
        assert (outcome["step"], outcome["best_step"], outcome["stopped"]) == (6, 2, True)


@pytest.mark.parametrize("killed", [0, 3, 5])
def test_only_a_gain_of_two_standard_errors_is_a_new_best(
    killed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 more of 100 are 1.76 standard errors, 4 more 2.04; each is compared with the best, not with the one before."""
    run = plan(tmp_path, **TEN, checkpoint_every=1)
    probed(monkeypatch, 90, 50, 53, 54, 57, 57)
    if killed:
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill_after(killed, patched)
            train(run)
    train(run)
    outcome = outcome_of(tmp_path)
    assert (outcome["best"], outcome["best_step"], outcome["stale"]) == (0.54, 6, 2)
    found = [row["knn_accuracy"] for row in outcome["curve"] if row["knn_accuracy"]]
    assert found == [0.9, 0.5, 0.53, 0.54, 0.57, 0.57]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_leaves_a_checkpoint_and_ends_with_143(
    number: signal.Signals, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    run = plan(tmp_path, checkpoint_every=100, **TEN)
    real = trainer.Trainer._after_step

    def after(self: trainer.Trainer) -> None:
        real(self)
        if self.state.step == 4:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as ended:
        patched.setattr(trainer.Trainer, "_after_step", after)
        with Interrupt() as interrupt:
            trainer.train(run, interrupt)
    assert ended.value.code == 143
    assert signal.getsignal(number) is before
    assert checkpoint.step_reached(run.work) == 4
    train(run)
    assert made(tmp_path) == undisturbed


def test_mixed_precision_keeps_float32_weights_but_changes_their_values(tmp_path: Path) -> None:
    train(plan(tmp_path / "no"))
    AcceleratorState._reset_state(True)
    try:
        train(plan(tmp_path / "bf16", precision="bf16"))
    finally:
        AcceleratorState._reset_state(True)
    exact, mixed = (load_file(tmp_path / name / "work/last.safetensors") for name in ("no", "bf16"))
    assert {weight.dtype for weight in mixed.values()} == {torch.float32, torch.int64}
    assert not torch.equal(mixed["conv1.weight"], exact["conv1.weight"])
