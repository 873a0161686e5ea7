from pathlib import Path

import pytest
import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.training.checkpoint import NAME, State, load, save


def trained(seed: int, steps: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(2, 3, 5, 5)).square().sum().backward()
        optimizer.step()
    return model, optimizer


def moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [optimizer.state[p][part] for p in model.parameters() for part in ("step", "exp_avg", "exp_avg_sq")]


def test_a_checkpoint_restores_the_complete_state(tmp_path: Path) -> None:
    model, optimizer = trained(0)
    best, hits = {"w": torch.arange(3.0)}, torch.tensor([True, False, True])
    state = State(step=3, window=[0.1 + 0.2], curve=[{"step": 1, "loss": None}], best=1 / 3, best_step=2, stale=1)
    save(tmp_path, state, model, optimizer, best, hits)
    other, fresh = trained(1, steps=0)
    found, found_best, found_hits = load(tmp_path, other, fresh)
    assert found == state
    assert found_best is not None and torch.equal(found_best["w"], best["w"])
    assert found_hits is not None and torch.equal(found_hits, hits)
    for one, two in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    for one, two in zip(moments(model, optimizer), moments(other, fresh), strict=True):
        assert torch.equal(one, two) and one.stride() == two.stride()


def test_loading_without_a_checkpoint_changes_nothing(tmp_path: Path) -> None:
    model, optimizer = trained(0, steps=0)
    before = model[0].weight.clone()
    assert load(tmp_path, model, optimizer) == (State(), None, None)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("damage", [lambda b: b[:200], lambda b: b"", lambda b: b"\xff" * 64, lambda b: b[:-8]])
def test_damage_is_an_error_that_names_the_file(damage, tmp_path: Path) -> None:
    model, optimizer = trained(0)
    save(tmp_path, State(step=3), model, optimizer, None, None)
    path = tmp_path / NAME
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PipelineError, match=r"damaged checkpoint in .*checkpoint\.safetensors.*delete it"):
        load(tmp_path, model, optimizer)


def test_a_checkpoint_of_another_model_is_an_error(tmp_path: Path) -> None:
    model, optimizer = trained(0)
    save(tmp_path, State(step=3), model, optimizer, None, None)
    other = nn.Linear(2, 2)
    with pytest.raises(PipelineError, match="damaged checkpoint"):
        load(tmp_path, other, torch.optim.AdamW(other.parameters()))
