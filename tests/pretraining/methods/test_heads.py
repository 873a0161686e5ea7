"""What the settings of a method's section do to its network."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.pretraining.methods.test_losses import nt_xent_reference
from tests.pretraining.shapes import HEADS
from tests.pretraining.test_methods import run_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.methods.simclr import SimclrHead, embed, loss
from workflow_scripts.pretraining.network import Batch, Network, build_network


def standardised(rows: np.ndarray) -> np.ndarray:
    return (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)


@pytest.mark.parametrize("joint", [True, False])
def test_the_simclr_batch_norm_is_joint_or_separate_per_view(joint: bool) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(3, 2, (8, 4)), generator.normal(-1, 0.5, (8, 4))
    norm = nn.BatchNorm1d(4, affine=False).double()
    network = Network(norm, {"projector": nn.Identity()}, lambda *given: (), lambda *given: torch.zeros(()))
    settings = SimclrHead(temperature=0.5, joint_bn=joint)
    batch = Batch((torch.tensor(first), torch.tensor(second)), 1)
    found = loss(network, settings, batch, embed(network, settings, batch)).item()
    if joint:
        one, two = np.split(standardised(np.concatenate([first, second])), 2)
        means = 0.1 * np.concatenate([first, second]).mean(0)
    else:
        one, two = standardised(first), standardised(second)
        means = 0.9 * 0.1 * first.mean(0) + 0.1 * second.mean(0)  # one update of momentum 0.1 after the other
    assert found == pytest.approx(nt_xent_reference(one, two, 0.5), rel=1e-4)
    assert norm.running_mean is not None
    np.testing.assert_allclose(norm.running_mean.numpy(), means, rtol=1e-6)


@pytest.mark.parametrize("affine", [True, False])
def test_simsiams_projector_ends_in_a_batch_norm_with_or_without_gain(affine: bool) -> None:
    head = {"projector": [16, 12], "predictor": 4, "final_affine": affine}
    projector = build_network(run_of("simsiam", simsiam=head)).get_submodule("heads.projector")
    assert isinstance(projector, nn.Sequential)
    norms = [layer for layer in projector if isinstance(layer, nn.BatchNorm1d)]
    assert [(norm.num_features, norm.affine) for norm in norms] == [(16, True), (12, affine)]
    assert projector[-1] is norms[-1]
    plain = build_network(run_of("simsiam", simsiam={**head, "final_affine": False})).state_dict()
    made = projector.state_dict(prefix="heads.projector.")
    assert all(torch.equal(made[name], weights) for name, weights in plain.items() if name in made)
    assert len(made) == sum(name.startswith("heads.projector.") for name in plain) + 2 * affine


def test_the_number_of_prototypes_changes_nothing_else() -> None:
    few, many = (
        build_network(run_of("swav", swav={**HEADS["swav"], "prototypes": number})).state_dict() for number in (6, 9)
    )
    assert few.keys() == many.keys()
    changed = {name for name, value in few.items() if not torch.equal(value, many[name])}
    assert changed == {"heads.prototypes.weight"}
    assert many["heads.prototypes.weight"].shape == (9, 8)


def test_simsiam_residual_blocks_start_at_zero_if_set() -> None:
    small = {"projector": [16, 12], "predictor": 4}
    plain, zero = (
        build_network(run_of("simsiam", simsiam={**small, "zero_init_last": wanted})).state_dict()
        for wanted in (False, True)
    )
    changed = {name for name, value in plain.items() if not torch.equal(value, zero[name])}
    assert changed == {f"backbone.layer{stage}.0.bn2.weight" for stage in (1, 2, 3, 4)}
    assert not any(zero[name].any() for name in changed)
    run = run_of("simsiam", backbone="timm:test_vit", image_size=32, simsiam={**small, "zero_init_last": True})
    message = (
        "zero_init_last has no effect in pretraining.simsiam, zero_init_last: no residual block ends in a batch norm"
    )
    with pytest.raises(PipelineError, match=message):
        build_network(run)


def test_clips_text_transformer_follows_its_setting() -> None:
    head = {"text_width": 16, "text_heads": 2, "text_layers": 2, "embedding": 8}
    ours, original = (
        build_network(run_of("clip", clip={**head, "original_text": original}), Sizes(vocabulary=300, end=2, context=5))
        for original in (False, True)
    )
    layers = [network.get_submodule("heads.text.layers.0") for network in (ours, original)]
    assert [layer.activation.__name__ for layer in layers] == ["gelu", "quick_gelu"]
    assert not torch.equal(*(layer.get_parameter("linear1.weight") for layer in layers))
    assert torch.equal(*(network.get_parameter("heads.text.token.weight") for network in (ours, original)))


def linear(module: nn.Module) -> list[tuple[int, int]]:
    """Widths (in, out) of the linear layers."""
    return [(layer.in_features, layer.out_features) for layer in module.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("name", ["simsiam", "nnclr"])
def test_predictors_have_the_hidden_width_of_their_setting(name: str) -> None:
    network = build_network(run_of(name, **{name: {"projector": [16, 12], "predictor": 5}}))
    assert linear(network.get_submodule("heads.projector"))[-1] == (16, 12)
    assert linear(network.get_submodule("heads.predictor")) == [(12, 5), (5, 12)]


@pytest.mark.parametrize("name", ["clip", "slip", "declip_nn", "clip_sbert"])
def test_clip_scale_and_projections_are_initialised_as_in_its_code(name: str) -> None:
    head = {key: value for key, value in HEADS[name].items() if key != "embedding"}
    run = run_of(name, **{name: {**head, "embedding": 256, "temperature": 0.05}})
    network = build_network(run, Sizes(vocabulary=300, end=2, context=5, vectors=400))
    assert network.get_parameter("heads.scale.log").item() == pytest.approx(np.log(20))
    texts = ["heads.text.weight"] if name == "clip_sbert" else ["heads.text.project.weight"]
    for path in ("heads.project.weight", *texts):
        weight = network.get_parameter(path)
        assert weight.std().item() == pytest.approx(weight.shape[1] ** -0.5, rel=0.05)
        assert weight.shape[0] == 256
