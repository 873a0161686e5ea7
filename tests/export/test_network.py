"""Networks built without the project, and timm's twins of them, give the features of the project's."""

import math
from copy import deepcopy
from functools import cache

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export import hubconf
from workflow_scripts.export.network import crop_share, loads_in_timm, recipe_of, sample, timm_config
from workflow_scripts.models.backbones import BACKBONES, LIBRARIES, build_backbone
from workflow_scripts.models.networks.view import view_of
from workflow_scripts.models.preprocessing import MEAN, STD

SIZE = 32
SEEN = {"mean": MEAN, "std": STD}


@cache
def trained(backbone: str) -> tuple[nn.Module, int]:
    """A backbone whose batch norms have seen something."""
    torch.manual_seed(1)
    network, width = build_backbone(backbone, SIZE)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return network.eval(), width


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}


@pytest.mark.parametrize("backbone", [*BACKBONES, "timm:vit_tiny_patch16_224", "torchvision:vit_b_32"])
def test_every_backbone_has_a_recipe_with_the_same_weight_shapes(backbone):
    with torch.device("meta"):  # without values
        network = build_backbone(backbone, SIZE)[0] if backbone in BACKBONES else None
        twin = hubconf.build(*recipe_of(backbone, SIZE))
        library, _, architecture = backbone.partition(":")
        network = network or LIBRARIES[library].build(architecture, SIZE, {})
    assert shapes(twin) == shapes(network)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet_small", "torchvision:mobilenet_v3_small"])
def test_the_network_of_a_recipe_gives_the_same_features(backbone):
    network, width = trained(backbone)
    twin = hubconf.build(*recipe_of(backbone, SIZE))
    twin.load_state_dict(network.state_dict())
    assert torch.equal(twin.eval()(sample(SIZE)), network(sample(SIZE)))
    assert twin(sample(SIZE)).shape == (4, width)


@pytest.fixture
def exported(tmp_path):
    """Writes a network of one backbone with the config of another one; what timm needs of an export."""

    def write(network, backbone, width):
        save_file(network.state_dict(), tmp_path / hubconf.WEIGHTS)
        config = timm_config(recipe_of(backbone, SIZE), width, view_of(SIZE, "bicubic", 0.9), SEEN, {})
        (tmp_path / hubconf.CONFIG).write_bytes(pretty(config))
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("backbone", "known"), [("resnet18", True), ("torchvision:mobilenet_v3_small", False), ("resnet_small", False)]
)
def test_timm_is_promised_only_where_its_network_is_equal(exported, backbone, known):
    network, width = trained(backbone)
    assert loads_in_timm(exported(network, backbone, width), network, SIZE) is known


def test_a_network_of_equal_shapes_with_other_outputs_is_not_equal(exported):
    network, width = trained("resnet18")
    network = deepcopy(network)
    network.relu.register_forward_hook(lambda module, given, output: output * 1.001)
    assert not loads_in_timm(exported(network, "resnet18", width), network, SIZE)


def test_timm_finds_weights_images_and_classifier_in_the_config(tmp_path, exported):
    network, width = trained("resnet18")
    exported(network, "resnet18", width)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert torch.equal(loaded(sample(SIZE)), network(sample(SIZE)))
    seen = timm.data.resolve_model_data_config(loaded)
    expected = {
        "input_size": (3, SIZE, SIZE),
        "interpolation": "bicubic",
        "crop_pct": 32 / 35,
        "mean": MEAN,
        "std": STD,
    }
    assert {name: tuple(v) if isinstance(v := seen[name], list) else v for name in expected} == expected
    tuned = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=5).eval()
    assert tuned(sample(SIZE)).shape == (4, 5)
    assert torch.equal(tuned.conv1.weight, network.conv1.weight)


@pytest.mark.parametrize(
    ("architecture", "options"), [("hf-hub:someone/else", {}), ("resnet18", {"checkpoint_path": "evil.pth"})]
)
def test_a_config_that_would_fetch_or_read_more_is_refused(tmp_path, architecture, options):
    about = {"library": "timm", "architecture": architecture, "options": options, "classifier": ""}
    (tmp_path / hubconf.CONFIG).write_bytes(pretty({hubconf.SECTION: about}))
    with pytest.raises(ValueError, match="not an export"):
        hubconf.network(tmp_path)


@pytest.mark.parametrize("size", [32, 96, 224, 288])
@pytest.mark.parametrize("crop", [0.8, 0.875, 0.9, 0.95, 224 / 232, 1.0])
def test_the_share_of_the_crop_gives_timm_the_side_of_the_study(size, crop):
    view = view_of(size, "bilinear", crop)
    assert math.floor(size / crop_share(view)) == view.side
