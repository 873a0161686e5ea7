"""Two processes must train as one process with the joined batch would."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import ProcessExitedException, start_processes

from tests.pretraining.shapes import plan
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining import launch as launching
from workflow_scripts.pretraining.checkpoint import State, load
from workflow_scripts.pretraining.gather import all_rows
from workflow_scripts.pretraining.launch import launch
from workflow_scripts.pretraining.losses import clip_loss, nt_xent, simsiam
from workflow_scripts.pretraining.methods import build_method
from workflow_scripts.pretraining.sync_norm import convert

ROWS, WIDTH, CLOSE = 6, 5, {"rtol": 1e-4, "atol": 1e-6}
LOSSES = ("nt_xent", "clip", "simsiam")


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
        return simsiam((one, two), (two, one))
    every, offset = all_rows(one)
    both = (every, all_rows(two)[0])
    if name == "clip":
        return clip_loss(one, two, torch.tensor(1.0), both, offset)
    return nt_xent(one, two, 0.3, both, offset)


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


def child(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    made = outcome(rank, 2)
    for value in made.values():
        dist.all_reduce(value)
        value /= 2
    if rank == 0:
        torch.save(made, Path(folder) / "made.pt")
    dist.destroy_process_group()


def test_losses_gradients_and_batch_norm_equal_one_process(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_processes(child, (port, str(tmp_path)), 2, start_method="spawn")
    two, one = torch.load(tmp_path / "made.pt", weights_only=True), outcome(0, 1)
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, **CLOSE, msg=lambda text, name=name: f"{name}: {text}")


def test_a_run_in_two_processes_follows_the_run_in_one(tmp_path: Path) -> None:
    curves = {}
    for processes in (1, 2):
        run = plan(tmp_path / str(processes), steps=3, log_every=1, processes=processes, probe={"every": 3})
        launch(run)
        model = build_method(run.settings)
        state, _ = load(run.work, model, torch.optim.AdamW(model.parameters()))
        assert state.step == 3
        curves[processes] = state
    losses = {p: [row["loss"] for row in state.curve[1:]] for p, state in curves.items()}
    # AdamW's first steps have the size of the learning rate whatever the gradient's, so errors grow a little.
    assert losses[2] == pytest.approx(losses[1], rel=2e-3)
    assert losses[2][0] == pytest.approx(losses[1][0], rel=1e-4)
    assert isinstance(curves[2], State)


class Ended:
    """What is left of processes of which one ended with ``status``."""

    processes: list[object] = []

    def __init__(self, status: int) -> None:
        self.status = status

    def join(self, grace_period: float) -> bool:
        raise ProcessExitedException("ended", 1, 0, self.status)


def test_an_error_in_a_process_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", dict(os.environ))
    wrong = PipelineError("wrong number of processes", tmp_path, "3 instead of 2", "start it again")

    def fail(_: object) -> None:
        raise wrong

    monkeypatch.setattr(launching, "train", fail)
    with pytest.raises(SystemExit) as ended:
        launching._child(1, plan(tmp_path, processes=2), 0)
    assert ended.value.code == 1
    with pytest.raises(PipelineError, match="3 instead of 2; start it again") as raised:
        launching._wait(plan(tmp_path, processes=2), Ended(1))
    assert str(raised.value) == str(wrong)


def test_a_terminated_process_ends_the_run_as_sigterm_does(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        launching._wait(plan(tmp_path, processes=2), Ended(143))
    assert ended.value.code == 143
    with pytest.raises(ProcessExitedException):
        launching._wait(plan(tmp_path, processes=2), Ended(-9))


def test_another_launcher_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(PipelineError, match="WORLD_SIZE is 2"):
        launch(plan(tmp_path))
