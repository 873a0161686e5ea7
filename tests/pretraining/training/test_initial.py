from pathlib import Path

import pytest
import torch
from torch import nn

from tests.pretraining.shapes import HEADS, SMALL, of_method, plan
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.batch import Batch
from workflow_scripts.pretraining.network import Network
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.pretraining.training.initial import blocks, build_network
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.sync_norm import convert
from workflow_scripts.pretraining.training.trainer import train
from workflow_scripts.stages.pretrain import STAGE


def network(**changed: object) -> Network:
    return build_network(Pretrain.model_validate({**SMALL, "simclr": HEADS["simclr"], **changed})).train()


def trained(model: Network) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Gradients and buffers after two steps without an update."""
    views = torch.randn(2, 2, 6, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    for step, (one, two) in enumerate(views, 1):
        model(Batch((one, two), step)).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return gradients, [buffer.clone() for buffer in model.buffers()]


@pytest.mark.parametrize("several", [False, True])
def test_gradients_and_running_statistics_are_equal_though_blocks_run_twice(several: bool) -> None:
    results = []
    for recompute in (False, True):
        model, calls = network(recompute=recompute), []
        model = convert(model) if several else model
        inner = next(one for one in blocks(model.backbone)[0].modules() if isinstance(one, nn.Conv2d))
        inner.register_forward_hook(lambda *_, to=calls: to.append(1))
        results.append((*trained(model), len(calls)))
    (gradients, buffers, once), (others, kept, twice) = results
    assert (once, twice) == (2, 4) and len(gradients) > 10
    assert all(torch.equal(*pair) for pair in zip(gradients + buffers, others + kept, strict=True))


@pytest.mark.parametrize("method", ["slip", "swav"])
def test_a_training_leaves_the_same_bytes(method: str, tmp_path: Path) -> None:
    """So the setting is not in the key."""
    assert "recompute" in STAGE.not_in_key
    made = []
    for recompute in (False, True):
        run = plan(tmp_path / str(recompute), steps=4, recompute=recompute, **of_method(method))
        train(run, Interrupt())
        made.append({path.name: path.read_bytes() for path in run.work.glob("*.safetensors")})
    assert len(made[0]) > 1 and made[0] == made[1]


def test_blocks_are_those_of_residual_networks_and_transformers() -> None:
    torch.manual_seed(0)
    assert [len(blocks(build_backbone(name, 32)[0])) for name in ("resnet18", "timm:vit_tiny_patch16_224")] == [8, 12]


def test_a_network_without_blocks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_scripts.pretraining.training.initial.recompute_blocks", lambda module: 0)
    with pytest.raises(PipelineError, match=r"recompute has no effect in pretraining\.recompute: resnet_small"):
        network(recompute=True)


def test_compiled_modules_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(torch, "compile", lambda function: made.append(function) or function)
    gradients, _ = trained(network(compile=True))
    expected, _ = trained(network())
    assert len(made) == 2  # backbone and projector
    assert all(torch.equal(*pair) for pair in zip(gradients, expected, strict=True))


def test_compile_and_recompute_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="compile and recompute are both true"):
        network(compile=True, recompute=True)
