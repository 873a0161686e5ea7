import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.network import build_network
from workflow_scripts.pretraining.schedule import Schedule
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.pretraining.training.trainer import learning_rate, parameter_groups


def rate(step: int, *, peak: float, final: float, warmup: int, steps: int, initial: float = 0.0) -> float:
    settings: Any = SimpleNamespace(initial_lr=initial, peak_lr=peak, final_lr=final)
    return learning_rate(step, settings, Schedule(steps, 1, warmup, {}))


def test_the_rate_is_torchs_warm_up_and_cosine() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 90, 1e-3)
    for step in range(10, 101):
        ours = rate(step, peak=0.3, final=1e-3, warmup=10, steps=100)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        schedule.step()
    assert [rate(s, peak=0.3, final=0, warmup=10, steps=100) for s in (1, 5)] == pytest.approx([0.03, 0.15])


def test_the_warm_up_rises_from_its_initial_rate() -> None:
    rates = [rate(s, initial=0.1, peak=0.3, final=0, warmup=10, steps=100) for s in (1, 5, 10, 100)]
    assert rates == pytest.approx([0.12, 0.2, 0.3, 0])


@given(st.integers(1, 500), st.integers(0, 400), st.floats(1e-6, 10))
def test_the_rate_rises_then_falls(rest: int, warmup: int, peak: float) -> None:
    steps = warmup + rest
    rates = [rate(s, peak=peak, final=peak / 9, warmup=warmup, steps=steps) for s in range(1, steps + 1)]
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert max(rates) <= peak * (1 + 1e-9)
    assert math.isclose(rates[-1], peak / 9)


def test_gains_biases_and_the_logit_scale_do_not_decay() -> None:
    head = {"text_width": 16, "text_heads": 2, "text_layers": 1}
    run = {"method": "clip", "pairs": "caption", "augmentation": "crop", "backbone": "resnet_small", "clip": head}
    model = build_network(Pretrain.model_validate(run), Sizes(vocabulary=300, context=8))
    groups = parameter_groups(model, 0.01)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, free = ({names[id(parameter)] for parameter in group["params"]} for group in groups)
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert decayed | free == set(names.values())
    assert {"heads.scale.log", "backbone.bn1.weight", "backbone.bn1.bias", "heads.text.norm.weight"} <= free
    assert {"backbone.conv1.weight", "heads.text.token.weight", "heads.project.weight"} <= decayed
    assert not any(name.endswith("bias") for name in decayed)
    again = parameter_groups(model, 0.01, 0.002)
    assert [group["weight_decay"] for group in again] == [0.01, 0.002]
    assert [{names[id(one)] for one in group["params"]} for group in again] == [decayed, free]
