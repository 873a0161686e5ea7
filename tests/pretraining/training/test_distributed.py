"""Two processes must train as one process with the joined batch would."""

import contextlib
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tests.pretraining.launched import SECONDS, Launched
from tests.pretraining.shapes import HEADS, of_method, plan
from tests.pretraining.together import together
from tests.pretraining.training.test_gradients import without_batch_norms
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.losses.contrastive import clip_loss, multi_positive_loss, nt_xent
from workflow_scripts.pretraining.losses.gather import all_rows
from workflow_scripts.pretraining.losses.soft_targets import soft_target_loss
from workflow_scripts.pretraining.methods.simsiam import symmetric_loss
from workflow_scripts.pretraining.network import PairWeights
from workflow_scripts.pretraining.training import checkpoint, trainer
from workflow_scripts.pretraining.training import launch as launching
from workflow_scripts.pretraining.training.interrupt import EVERY, Interrupt
from workflow_scripts.pretraining.training.plan import OUTCOME
from workflow_scripts.pretraining.training.sync_norm import convert

STEPS = 3  # the first, one with the moments of the first, and the last
RUNS = [*((method, False) for method in HEADS), ("nnclr", True), ("slip", True)]
"""Methods, and whether the two processes train in micro-batches, without batch norms."""
BACKBONES = ("resnet18", "timm:mobilenetv3_small_050", "timm:regnety_002")
ROWS, WIDTH, CLOSE = 6, 5, {"rtol": 1e-4, "atol": 1e-6}
LOSSES = ("nt_xent", "clip", "simsiam", "soft_target", "multi_positive", "weighted")
CAPTIONS = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(6))
CLASSES, SCORES = torch.tensor([3, 0, 3, 1, 0, 3]), torch.tensor([0.1, 0.9, float("nan"), 0.4, 0.3, 0.7])
LONG: dict[str, Any] = {**of_method("nnclr"), "processes": 2, "steps": 24, "checkpoint_every": 2}  # with a queue
multiprocessing.set_forkserver_preload([__name__])  # torch is imported once


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def maps() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).double()


def data() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    # A mean far from 0 shows what a one-pass variance would lose.
    images = torch.randn(ROWS, 3, 6, 6, generator=generator).double() + 50
    return (*(torch.randn(ROWS, WIDTH, generator=generator) for _ in range(2)), images)


def loss_of(name: str, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    if name == "simsiam":
        return symmetric_loss((one, two), (two, one))
    offset = all_rows(one)[1]
    own = slice(offset, offset + len(one))
    if name == "soft_target":
        return soft_target_loss(one, two, CAPTIONS[own], 0.3, 0.2)
    if name == "multi_positive":
        return multi_positive_loss((one, two), CLASSES[own], 0.3)
    if name == "weighted":
        weigh = PairWeights()
        weigh(SCORES[own] + 1)
        return nt_xent(one, two, 0.3, weigh(SCORES[own])) + weigh.mean
    if name == "clip":
        return clip_loss(one, two, torch.tensor(1.0))
    return nt_xent(one, two, 0.3)


def outcome(rank: int, processes: int) -> dict[str, torch.Tensor]:
    """Losses and parameters' gradients, averaged over processes as DistributedDataParallel does."""
    first, second, images = (side.chunk(processes)[rank] for side in data())
    made: dict[str, torch.Tensor] = {}
    for name in LOSSES:
        net = convert(network()) if processes > 1 else network()
        made[f"{name}.loss"] = loss_of(name, net(first), net(second)).reshape(1)
        made[f"{name}.loss"].backward()
        made |= {f"{name}.{n}": p.grad for n, p in net.named_parameters() if p.grad is not None}
        made |= {f"{name}.{n}": b.clone().float() for n, b in net.named_buffers()}
    net = convert(maps()) if processes > 1 else maps()
    out = net(images)
    (out.square() * torch.arange(out.shape[-1])).mean().backward()
    made |= {f"maps.{n}": p.grad for n, p in net.named_parameters() if p.grad is not None}
    made |= {f"maps.{n}": b.clone().float() for n, b in net.named_buffers()}
    return {name: value.detach() for name, value in made.items()}


def averaged(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo")
    made = outcome(rank, 2)
    for value in made.values():
        dist.all_reduce(value)
        value /= 2
    if rank == 0:
        torch.save(made, folder / "made.pt")


def test_losses_gradients_and_batch_norm_equal_a_single_process(tmp_path: Path) -> None:
    together(averaged, tmp_path)
    two, one = torch.load(tmp_path / "made.pt", weights_only=True), outcome(0, 1)
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


def smooth(module: nn.Module) -> nn.Module:
    """``module`` with Softplus for ReLU: an input within rounding of 0 can't switch a unit's gradient on or off."""
    for name, child in module.named_children():
        setattr(module, name, nn.Softplus() if isinstance(child, nn.ReLU) else smooth(child))
    return module


def exact(network: Any) -> Any:
    """``network`` in float64: dozens of batch norms of few images each would make rounding large."""
    network.double().backbone.register_forward_pre_hook(lambda _, views: tuple(view.double() for view in views))
    return network


def records(rank: int, processes: int, folder: Path) -> dict[tuple[str, bool], dict[str, list[Any]]]:
    """Losses and gradients of every step of each of ``RUNS``, as trained."""
    made, build = {}, trainer.build_network
    for method, parts in RUNS:
        change = without_batch_norms if parts else smooth
        trainer.build_network = lambda *given, change=change: change(build(*given))
        gradients: list[list[torch.Tensor]] = []

        def keep(optimizer: torch.optim.Optimizer, *_: object, to: list[list[torch.Tensor]] = gradients) -> None:
            every = (p.grad for group in optimizer.param_groups for p in group["params"])
            to.append([gradient.clone() for gradient in every if gradient is not None])

        changed = {**of_method(method), "steps": STEPS, "warmup_steps": 1, "lr": 1e-3, "log_every": 1}
        changed["micro_batch_size"] = 4 if parts and processes > 1 else None
        run = plan(folder / f"{method}-{parts}-{rank}", processes=processes, **changed)
        hook = register_optimizer_step_pre_hook(keep)
        trainer.train(run, Interrupt())
        hook.remove()
        losses = []
        if rank == 0:
            losses = [row["loss"] for row in json.loads((run.work / OUTCOME).read_text())["curve"][1:]]
        made[method, parts] = {"losses": losses, "gradients": gradients}
    trainer.build_network = build
    return made


def trained(rank: int, folder: Path) -> None:
    torch.save(records(rank, 2, folder), folder / f"{rank}.pt")


def test_training_in_two_processes_matches_a_single_process(tmp_path: Path) -> None:
    together(trained, tmp_path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    one = records(0, 1, tmp_path / "one")
    for case in RUNS:
        assert first[case]["losses"] == pytest.approx(one[case]["losses"], rel=1e-4)
        assert len(one[case]["gradients"]) == STEPS
        for step, expected in enumerate(one[case]["gradients"]):
            for mine, other, right in zip(
                first[case]["gradients"][step], second[case]["gradients"][step], expected, strict=True
            ):
                assert torch.equal(mine, other)
                assert (mine - right).norm() <= 1e-4 * right.norm(), (case, step, tuple(right.shape))


def networks(rank: int, processes: int, folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Weights and buffers of each of ``BACKBONES``, as trained."""
    made, build = {}, trainer.build_network
    trainer.build_network = lambda *given: exact(build(*given))
    for backbone in BACKBONES:
        changed = {"backbone": backbone, "image_size": 32, "steps": STEPS, "warmup_steps": 1}
        run = plan(folder / f"{backbone}-{rank}", processes=processes, **changed)
        trainer.train(run, Interrupt())
        made[backbone] = load_file(run.work / "last.safetensors") if rank == 0 else {}
    trainer.build_network = build
    return made


def trained_networks(rank: int, folder: Path) -> None:
    made = networks(rank, 2, folder)
    if rank == 0:
        torch.save(made, folder / "made.pt")


def test_two_processes_give_the_same_network_as_one_with_norms_that_hold_activations(tmp_path: Path) -> None:
    together(trained_networks, tmp_path)
    two, one = torch.load(tmp_path / "made.pt", weights_only=True), networks(0, 1, tmp_path / "one")
    for backbone in BACKBONES:
        assert two[backbone].keys() == one[backbone].keys()
        for name, value in one[backbone].items():
            difference = (two[backbone][name] - value).double().norm()
            # Biases begin at 0, and losses are float32.
            assert difference <= 1e-4 * value.double().norm() + 1e-5, (backbone, name, float(difference))


def weights(work: Path) -> bytes:
    return (work / "last.safetensors").read_bytes()


def processes_of(folder: Path) -> list[int]:
    """Running processes with ``folder`` in their command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def test_two_processes_stop_on_request_die_with_their_parent_and_resume(tmp_path: Path) -> None:
    whole = Launched(tmp_path / "whole", **LONG)
    assert whole.ended()[0] == 0
    torn = Launched(tmp_path / "torn", **LONG)
    torn.wait_for(launching.STARTS)  # the signal comes before the first step, so no machine is too quick for it
    torn.send_signal(signal.SIGTERM)
    status, said = torn.ended()
    reached = checkpoint.step_reached(torn.work)
    assert (status, reached) == (143, EVERY), said
    assert f"error: stopped by a signal in pretrain: step {reached} of 24 is kept" in said
    killed = Launched(tmp_path / "torn", **LONG)
    while len(processes_of(tmp_path / "torn")) < 2:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.ended()
    end = time.monotonic() + SECONDS
    while processes_of(tmp_path / "torn"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert Launched(tmp_path / "torn", **LONG).ended()[0] == 0
    assert json.loads((torn.work / launching.STARTS).read_text())[:2] == [0, reached]
    assert weights(torn.work) == weights(whole.work)


def test_a_process_that_dies_ends_the_run_with_its_number(tmp_path: Path) -> None:
    run = Launched(tmp_path, **LONG | {"steps": 100_000})  # it is not over before the process is found
    run.wait_for(checkpoint.NAME)
    ranks = [
        pid for pid in processes_of(tmp_path) if b"RANK=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    ]
    os.kill(ranks[0], signal.SIGKILL)
    status, said = run.ended()
    assert status == 1
    assert "a training process died in pretrain: process 1 by signal 9" in said


def test_a_damaged_image_ends_all_processes(tmp_path: Path) -> None:
    """Each process verifies the images that it reads, and the one that finds the fault says so for all."""
    given = plan(tmp_path, processes=2, workers=4, keep=False)
    tar, first = given.images.tars[0], int(given.images.offset[20])
    data = bytearray(tar.read_bytes())
    data[first + 60] ^= 1
    tar.write_bytes(data)
    with pytest.raises(PipelineError, match=rf"damaged image in {tar}: row 20, offset {first}: sha256 begins with"):
        launching.launch(given, Interrupt())
